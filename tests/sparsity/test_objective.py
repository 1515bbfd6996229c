import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity.objective import Objective


@given(
    st.integers(0, 2**32 - 1),
    st.integers(2, 20),
    st.integers(1, 6),
    st.floats(0, 0.9),
    st.booleans(),
)
def test_what_is_kept_is_what_lies_above_the_thresholds(seed, width, n, p, uniform):
    rng = np.random.default_rng(seed)
    kernels = [rng.normal(size=(3, 3, k, width)) for k in (5, 7)]
    objective = Objective(kernels, n, p, uniform, "l1", None)
    order = rng.permutation(width)
    sums_rk = objective.block_sums(order)
    thresholds_rk, total = objective.thresholds(sums_rk)
    kept = sums_rk >= thresholds_rk
    for columns, budget in zip(objective.segments, objective.budgets, strict=True):
        counts = kept[:, columns].sum(axis=1)
        assert (counts == budget).all() if uniform else counts.sum() == budget
    assert total == objective.kept(order) == pytest.approx(sums_rk[kept].sum(), 1e-5)


def test_of_equal_orders_the_first_is_better():
    objective = Objective([np.ones((4, 8))], 4, 0.5, False, "l1", None)
    first, second = np.arange(8), np.arange(8)[::-1]
    assert objective.better(first, second) is first
