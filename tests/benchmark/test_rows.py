import dataclasses
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
    assert list(document["rows"][0]) == [*DESIGN, "difference"]


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


def test_the_base_is_the_stock_runtime():
    rows = [
        Row("a", variant="dense", delegate="onexn", median_ms=2.0),
        Row("a", variant="dense", median_ms=4.0),
        Row("b", variant="onexn", delegate="onexn", median_ms=1.0),
    ]
    set_speedups(rows)
    assert [row.speedup for row in rows] == [2.0, 1.0, 4.0]


def test_without_a_dense_file_the_delegate_is_set_against_the_same_file():
    def pair(artifact, runtime, stock, delegated):
        row = Row(artifact, variant="onexn", runtime=runtime, median_ms=stock)
        return row, dataclasses.replace(row, delegate="onexn", median_ms=delegated)

    rows = [
        *pair("a", "litert", 4.0, 2.0),
        *pair("a", "tf_lite", 9.0, 3.0),
        *pair("b", "litert", 5.0, 1.0),
        Row("c", "onexn", runtime="litert", delegate="onexn", median_ms=1.0),
    ]
    set_speedups(rows)
    assert [row.speedup for row in rows] == [None, 2, None, 3, None, 5, None]


def test_tvm_is_set_against_the_dense_file_in_tflite():
    rows = [
        Row("d.so", variant="dense", runtime="tvm_vm", median_ms=2.0),
        Row("d", variant="dense", runtime="litert", median_ms=3.0),
        Row("s.so", variant="onexn", runtime="tvm_vm", median_ms=1.0),
    ]
    set_speedups(rows)
    assert [row.speedup for row in rows] == [1.5, 1.0, 3.0]


def test_without_a_dense_file_tvm_is_set_against_the_same_network_in_tflite():
    def row(artifact, runtime, nonzero, ms, delegate=None):
        return Row(
            artifact,
            variant="onexn",
            runtime=runtime,
            delegate=delegate,
            macs=100,
            nonzero_macs=nonzero,
            median_ms=ms,
        )

    rows = [
        row("a.so", "tvm_vm", 50, 1.0),
        row("a", "litert", 50, 9.0, "onexn"),
        row("a", "litert", 50, 3.0),
        row("b", "litert", 60, 4.0),
        row("c.so", "tvm_vm", 70, 1.0),
        Row("d.so", runtime="tvm_vm", median_ms=1.0),
        Row("d", runtime="litert", median_ms=1.0),
    ]
    set_speedups(rows)
    assert [row.speedup for row in rows] == [3.0, 1 / 3, *[None] * 5]


@pytest.mark.parametrize(
    ("row", "label"),
    [
        (Row("file.tflite"), "file.tflite"),
        (Row("f", variant="weight", sparsity=0.5), "weight"),
        (Row("f", variant="onexn", n=16, rearrange="none"), "1×16"),
        (Row("f", variant="onexn", n=4, rearrange="swaps"), "1×4 rearranged"),
        (Row("f", variant="onexn"), "1×N"),
        (Row("f", variant="dense", delegate="onexn"), "dense + delegate"),
        (Row("f", variant="onexn", n=8, runtime="tvm_vm"), "1×8 in TVM"),
    ],
)
def test_labels(row, label):
    assert row.label == label


def test_labels_with_the_sparsity():
    assert Row("f", variant="weight", sparsity=0.75).label_at_sparsity == "weight 75%"
    assert Row("f", variant="dense", sparsity=0.0).label_at_sparsity == "dense"
    row = Row("f", variant="onexn", n=4, sparsity=0.5, delegate="onexn")
    assert row.label_at_sparsity == "1×4 50% + delegate"


@pytest.mark.parametrize(
    ("agreement", "passed"),
    [
        (Agreement("1×4", 1e-6, 0.5), True),
        (Agreement("1×4", 1e-6, float("inf")), True),
        (Agreement("1×4", 2e-5, 0.5), False),
        (Agreement("1×4", 2e-5, 0.5, bound=1e-4), True),
        (Agreement("1×4", 1e-6, 0.01), False),
        (Agreement("dense", 1e-6, 1e-6, told_apart=False), True),
        (Agreement("dense", 1e-3, 1e-3, told_apart=False), False),
    ],
)
def test_agreement_demands_that_the_check_tells_models_apart(agreement, passed):
    assert agreement.passed == passed
