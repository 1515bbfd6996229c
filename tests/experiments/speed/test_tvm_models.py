import pytest

from tfmot_onexn.experiments.speed import tvm_models
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.pruning.variants import Variant

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}
RIVALS = (Variant("weight", 0.75), Variant("filter", 0.5))


@pytest.fixture(scope="module")
def measured(small_mobilenet):
    plan = Plan("mobilenet", ((16, 0.75),), rivals=RIVALS, **SMALL)
    return tvm_models.measure(plan)


def test_every_file_runs_in_every_way_and_rivals_as_plans(measured):
    ways = [
        (row.variant, row.runtime, row.delegate, row.threads) for row in measured.rows
    ]
    each = [
        ("litert", "onexn", 1),
        ("tvm_vm", None, 1),
        ("tvm_plan", None, 1),
        ("tvm_plan", None, 2),
    ]
    assert ways == [
        ("dense", "litert", None, 1),
        *((variant, *way) for variant in ("dense", "onexn") for way in each),
        *((variant, "tvm_plan", None, 1) for variant in ("weight", "filter")),
    ]
    for row in measured.rows:
        assert row.median_ms > 0
        assert row.speedup == pytest.approx(measured.dense_ms / row.median_ms)
        suffixes = {"litert": ".tflite", "tvm_vm": ".so", "tvm_plan": ".plan"}
        assert row.artifact.endswith(suffixes[row.runtime])


def test_results_are_those_of_the_rows(measured):
    dense, pruned = measured.files
    assert (dense.n, pruned.n, pruned.sparsity) == (None, 16, 0.75)
    rows = measured.rows
    assert pruned.plan_ms == pytest.approx(rows[7].median_ms)
    assert pruned.plan.value == pytest.approx(rows[7].speedup)
    assert pruned.machine.value == pytest.approx(rows[6].speedup)
    assert pruned.delegate.value == pytest.approx(rows[5].speedup)
    assert pruned.two_threads.value == pytest.approx(
        rows[7].median_ms / rows[8].median_ms
    )
    assert pruned.over_dense_plan.value == pytest.approx(
        rows[3].median_ms / rows[7].median_ms
    )
    assert dense.over_dense_plan.value == 1


def test_rivals_stand_beside_blocks_of_16_at_the_same_sparsity(measured):
    # filter pruning has no counterpart at 50 %
    (csr,) = measured.rivals
    assert (csr.method, csr.sparsity, csr.n) == ("weight", 0.75, 16)
    own, other = measured.rows[7], measured.rows[9]
    assert csr.plan_ms == pytest.approx(own.median_ms)
    assert csr.rival_ms == pytest.approx(other.median_ms)
    assert csr.over_rival.value == pytest.approx(other.median_ms / own.median_ms)
