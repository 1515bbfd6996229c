import pytest

from tfmot_onexn.experiments.speed import break_even
from tfmot_onexn.experiments.speed.break_even import Crossing
from tfmot_onexn.experiments.speed.model_speed import Plan

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}


def test_each_sparsity_is_measured_beside_both_dense_ones(small_mobilenet):
    plan = Plan("mobilenet", ((8, 0.1), (8, 0.3)), **SMALL)
    found = break_even.measure(plan)
    assert [(row.runtime, row.sparsity) for row in found.rows] == [
        *(("litert", 0.0), ("tvm_plan", 0.0), ("tvm_plan", 0.1), ("tvm_plan", 0.3)),
    ]
    litert, dense, *_ = found.rows
    for point, row in zip(found.points, found.rows[1:], strict=True):
        assert point.sparsity == row.sparsity
        assert point.plan_ms == pytest.approx(row.median_ms)
        ratios = litert.median_ms / row.median_ms, dense.median_ms / row.median_ms
        assert point.over_litert.value == pytest.approx(ratios[0])
        assert point.over_dense_plan.value == pytest.approx(ratios[1])
    over_litert = [(each.sparsity, each.over_litert.value) for each in found.points]
    assert found.litert == break_even.crossing(over_litert)
    pruned = [(each.sparsity, each.over_dense_plan.value) for each in found.points[1:]]
    assert found.dense_plan == break_even.crossing(pruned)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(0.0, 0.9), (0.1, 1.1), (0.2, 1.2)], Crossing(pytest.approx(0.05))),
        ([(0.05, 0.8), (0.1, 0.9), (0.2, 1.3)], Crossing(pytest.approx(0.125))),
        ([(0.05, 0.9), (0.1, 1.0)], Crossing(pytest.approx(0.1))),
        ([(0.05, 1.0), (0.1, 0.9)], Crossing(0.05, at_most=True)),
        ([(0.0, 0.8), (0.3, 0.99)], Crossing(None)),
    ],
)
def test_a_ratio_comes_to_one_on_a_straight_line(points, expected):
    assert break_even.crossing(points) == expected
