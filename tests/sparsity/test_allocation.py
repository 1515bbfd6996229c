import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import allocation


def exhaustive(errors, per_block, budget):
    """The least error of all ways to free at least the budget."""
    best = np.inf
    for counts in itertools.product(*(range(len(error) + 1) for error in errors)):
        freed = sum(c * cost for c, cost in zip(counts, per_block, strict=True))
        if freed >= budget - 1e-9:
            lost = sum(e[:c].sum() for c, e in zip(counts, errors, strict=True))
            best = min(best, lost)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_no_division_of_the_same_budget_has_less_error(seed):
    rng = np.random.default_rng(seed)
    errors = [np.sort(rng.random(size) ** 3) for size in (3, 5, 4)]
    costs = rng.integers(1, 9, 3).astype(float)
    for sparsity in (0.2, 0.5, 0.7):
        shares = allocation.allocate(errors, costs, sparsity, highest=1.0)
        counts = [round(s * len(e)) for s, e in zip(shares, errors, strict=True)]
        per_block = costs / [len(error) for error in errors]
        freed = float(np.dot(counts, per_block))
        lost = sum(e[:c].sum() for c, e in zip(counts, errors, strict=True))
        assert lost == pytest.approx(exhaustive(errors, per_block, freed))


@given(
    seed=st.integers(0, 100),
    sparsity=st.floats(0, 0.85),
    sizes=st.lists(st.integers(20, 60), min_size=1, max_size=5),
)
def test_the_budget_is_met_within_a_block(seed, sparsity, sizes):
    rng = np.random.default_rng(seed)
    errors = [np.sort(rng.random(size)) for size in sizes]
    costs = list(rng.random(len(sizes)) + 0.1)
    shares = allocation.allocate(errors, costs, sparsity)
    freed = float(np.dot(shares, costs))
    largest = max(cost / size for cost, size in zip(costs, sizes, strict=True))
    assert abs(freed - sparsity * sum(costs)) <= largest * 1.001
    assert max(shares) <= 0.9


def test_more_goes_where_it_costs_less():
    errors = [np.linspace(0, 1, 10), np.linspace(0, 10, 10)]
    first, second = allocation.allocate(errors, [1.0, 1.0], 0.5)
    assert first > second
    dear, cheap = allocation.allocate([errors[0]] * 2, [4.0, 1.0], 0.5)
    assert dear > cheap


def test_a_budget_above_the_cap_is_met_all_the_same():
    shares = allocation.allocate([np.ones(100), np.ones(100)], [1.0, 3.0], 0.95)
    assert shares == pytest.approx([0.95, 0.95])


def test_an_unknown_allocation_is_refused():
    with pytest.raises(ValueError, match=r"allocation 'flops'; choose one of \['per_l"):
        allocation.validate_method("flops")
