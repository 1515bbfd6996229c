import pytest
import tf_keras
from tf_keras import layers

from tfmot_onexn.benchmark import latency
from tfmot_onexn.experiments.speed import model_speed
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning.variants import Variant

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}


@pytest.fixture(scope="module")
def measured(small_mobilenet):
    plan = Plan("mobilenet", ((8, 0.75), (4, 0.5)), loads=1, **SMALL)
    return model_speed.measure(plan, "avx2")


def test_every_file_runs_in_every_way(measured):
    ways = [
        (row.n, row.sparsity, row.delegate, row.threads, row.target)
        for row in measured.rows
    ]
    assert ways == [
        *((None, 0.0, None, threads, "host") for threads in (1, 2)),
        *(
            (n, p, *way)
            for n, p in ((8, 0.75), (4, 0.5))
            for way in (
                (None, 1, "host"),
                ("onexn", 1, "host"),
                ("onexn", 1, "x86-64-v3"),
                ("onexn", 2, "host"),
            )
        ),
    ]
    for row in measured.rows:
        assert (row.runtime, row.model, row.weights) == (
            *("litert", "mobilenet", "random"),
        )
        assert row.runs == 4
        assert row.median_ms > 0
        assert row.speedup == pytest.approx(measured.rows[0].median_ms / row.median_ms)


def test_results_are_those_of_the_rows(measured):
    for index, file in enumerate(measured.files):
        stock, delegate = measured.rows[2 + 4 * index : 4 + 4 * index]
        assert (file.n, file.sparsity) == (stock.n, stock.sparsity)
        assert file.dense_ms == pytest.approx(measured.rows[0].median_ms)
        assert file.stock_ms == pytest.approx(stock.median_ms)
        assert file.delegate_ms == pytest.approx(delegate.median_ms)
        assert file.delegate.value == pytest.approx(delegate.speedup)
        assert file.stock.low <= file.stock.value <= file.stock.high
        assert file.narrow.value > 0
        assert file.two_threads.value > 0
        assert file.dense_two_threads.value > 0


def test_loads_are_of_the_first_file(measured):
    assert set(measured.loads) == {"dense", "stock", "delegate"}
    assert all(cost.peak_mb > 0 for cost in measured.loads.values())


def test_windows_are_pruned_if_asked(monkeypatch):
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(16, 3)(image)
    x = layers.Conv2D(16, 3)(x)
    x = layers.Conv2D(16, 1)(x)
    x = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    model = randomize(tf_keras.Model(image, x))
    monkeypatch.setattr(model_speed.models, "build", lambda *_, **__: model)
    skipped = []
    for windows in (False, True):
        plan = Plan("small", ((8, 0.75),), windows, gate=True, loads=0, **SMALL)
        dense, stock, _ = model_speed.measure(plan).rows
        skipped.append(dense.macs - stock.nonzero_macs)
    pointwise, larger = 28 * 28 * 16 * 16, 28 * 28 * 9 * 16 * 16
    assert skipped == [0.75 * pointwise, 0.75 * (pointwise + larger)]


def test_rivals_are_pruned_in_their_own_ways(small_mobilenet, tmp_path):
    rivals = (Variant("weight", 0.5), Variant("filter", 0.5))
    plan = Plan("mobilenet", ((8, 0.5),), rivals=rivals, **SMALL)
    files = model_speed.build_files(plan, tmp_path)
    assert list(files) == [None, (8, 0.5), *rivals]
    dense, blocks, weight, filters = (row for _, row in files.values())
    assert [(row.variant, row.n) for row in (dense, blocks, weight, filters)] == [
        *(("dense", None), ("onexn", 8), ("weight", None), ("filter", None)),
    ]
    assert weight.macs == blocks.macs == dense.macs > filters.macs
    assert weight.nonzero_macs == pytest.approx(blocks.nonzero_macs, rel=0.02)
    assert len({path for path, _ in files.values()}) == 4


def test_a_file_that_fails_is_told(small_mobilenet, monkeypatch):
    monkeypatch.setattr(latency.sys, "executable", "/bin/false")
    plan = Plan("mobilenet", ((8, 0.5),), gate=True, loads=0, **SMALL)
    with pytest.raises(ValueError, match="mobilenet, dense: the runtime ended with"):
        model_speed.measure(plan)
