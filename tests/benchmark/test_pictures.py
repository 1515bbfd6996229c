import dataclasses

import pytest

from tfmot_onexn.benchmark import pictures
from tfmot_onexn.benchmark.rows import Row

WAYS = (("litert", None), ("litert", "onexn"), ("tvm_vm", None), ("tvm_plan", None))


def row(variant, sparsity, runtime="litert", delegate=None, **more):
    times = {"median_ms": 2.0, "p10_ms": 1.5, "p90_ms": 3.0, "size_bytes": 5_000_000}
    found = Row("f", variant=variant, sparsity=sparsity, runtime=runtime)
    return dataclasses.replace(found, delegate=delegate, **{**times, **more})


@pytest.fixture
def rows():
    """Three variants in four runtimes at two sparsities, dense once."""
    found = [row("dense", 0.0, *way, speedup=1.0) for way in WAYS]
    for variant in ("weight", "onexn"):
        for sparsity in (0.5, 0.75):
            found += [row(variant, sparsity, *way, speedup=1.6) for way in WAYS]
    return found


def labels(axes):
    return [text.get_text() for text in axes.get_yticklabels()]


def test_rows_of_one_variant_at_several_sparsities_keep_their_bars():
    rows = [row("weight", p) for p in (0.5, 0.75, 0.9)]
    assert pictures.bars(rows).startswith(b"\x89PNG")
    assert len({each.label_at_sparsity for each in rows}) == 3


def test_variants_stand_side_by_side_in_each_runtime(rows):
    figure = pictures._compared(rows)
    latency, _, size, _ = figure.axes
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["p = 50 %", "p = 75 %", "", ""]
    assert [axes.get_xlabel() for axes in figure.axes] == [
        *["median latency, ms, and speed-up over dense"] * 2,
        *["size, MB"] * 2,
    ]
    assert labels(latency) == ["LiteRT", "LiteRT\n+ delegate", "TVM", "TVM plan"]
    assert labels(size) == [".tflite", "TVM library", "TVM plan"]
    for axes, count in zip(figure.axes, (12, 12, 9, 9), strict=True):
        assert len(axes.patches) == count
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        *("dense", "weight", "1×N"),
    ]
    assert pictures.compared(rows).startswith(b"\x89PNG")


def test_bars_have_lengths_texts_and_the_base(rows):
    rows[4].median_ms = rows[4].p90_ms = 4.0
    rows[4].speedup = 0.5
    latency = pictures._compared(rows).axes[0]
    # of weight, behind the four of dense
    assert latency.patches[4].get_width() == 4.0
    texts = [text.get_text() for text in latency.texts]
    assert texts[0] == "2.00  1.00×"
    assert texts[4] == "4.00  0.50×"
    assert latency.lines[-1].get_xdata()[0] == 2.0


def test_bars_of_a_runtime_do_not_overlap(rows):
    latency = pictures._compared(rows).axes[0]
    spans = sorted((p.get_y(), p.get_y() + p.get_height()) for p in latency.patches)
    ends, starts = [end for _, end in spans[:-1]], [start for start, _ in spans[1:]]
    assert all(start >= end for start, end in zip(starts, ends, strict=True))


def test_accuracy_is_shown_where_it_is_known_and_failures_are_told(rows):
    for each in rows[:5]:
        each.top1 = 0.7
    failed = Row("f", variant="onexn", sparsity=0.75, runtime="tvm_plan")
    failed.status = "failed"
    figure = pictures._compared([*rows[:-1], failed])
    assert len(figure.axes) == 6
    assert figure.axes[4].get_xlabel() == "top-1, %"
    assert "failed" in [text.get_text() for text in figure.axes[1].texts]


def test_dense_rows_alone_make_one_column():
    figure = pictures._compared([row("dense", 0.0), row("dense", 0.0, "tvm_vm")])
    assert [axes.get_title() for axes in figure.axes] == ["", ""]
