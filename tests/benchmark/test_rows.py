import json

import pytest

from tfmot_onexn.benchmark.rows import Agreement, Row, set_speedups, to_json

DESIGN = [
    "artifact",
    "model",
    "weights",
    "variant",
    "n",
    "sparsity",
    "rearrange",
    "uniform",
    "allocation",
    "dtype",
    "runtime",
    "delegate",
    "target",
    "device",
    "emulated",
    "threads",
    "median_ms",
    "p10_ms",
    "p90_ms",
    "runs",
    "speedup",
    "size_bytes",
    "macs",
    "nonzero_macs",
    "top1",
    "top5",
    "images",
    "seed",
    "status",
    "error",
]


def test_json_has_the_schema_the_machine_and_the_rows():
    document = json.loads(to_json({"cpu": "x"}, [Row("a.tflite")], agreement=[]))
    assert list(document) == ["schema", "machine", "rows", "agreement"]
    assert document["schema"] == 1
    assert list(document["rows"][0]) == DESIGN


def test_speedups_are_over_the_dense_row_and_missing_where_nothing_was_timed():
    rows = [
        Row("a", variant="onexn", median_ms=2.0),
        Row("b", variant="dense", median_ms=3.0),
        Row("c", variant="dense", median_ms=6.0),
        Row("d", variant="weight", status="failed"),
    ]
    set_speedups(rows)
    assert [row.speedup for row in rows] == [1.5, 1.0, 0.5, None]
    alone = [Row("a", variant="onexn", median_ms=2.0)]
    set_speedups(alone)
    assert alone[0].speedup is None


@pytest.mark.parametrize(
    ("row", "label"),
    [
        (Row("file.tflite"), "file.tflite"),
        (Row("f", variant="weight", sparsity=0.5), "weight"),
        (Row("f", variant="onexn", n=16, rearrange="none"), "1×16"),
        (Row("f", variant="onexn", n=4, rearrange="swaps"), "1×4 rearranged"),
        (Row("f", variant="onexn"), "1×N"),
    ],
)
def test_labels(row, label):
    assert row.label == label


def test_labels_with_the_sparsity():
    assert Row("f", variant="weight", sparsity=0.75).label_at_sparsity == "weight 75%"
    assert Row("f", variant="dense", sparsity=0.0).label_at_sparsity == "dense"


@pytest.mark.parametrize(
    ("agreement", "passed"),
    [
        (Agreement("1×4", 1e-6, 0.5), True),
        (Agreement("1×4", 1e-6, float("inf")), True),
        (Agreement("1×4", 2e-5, 0.5), False),
        (Agreement("1×4", 2e-5, 0.5, bound=1e-4), True),
        (Agreement("1×4", 1e-6, 0.01), False),
        (Agreement("dense", 1e-6, 1e-6), True),
        (Agreement("dense", 1e-3, 1e-3), False),
    ],
)
def test_agreement_demands_that_the_check_tells_models_apart(agreement, passed):
    assert agreement.passed == passed
