import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import masks, second_order


def problem(seed, channels, filters):
    """A kernel, inputs whose channels tell of each other, and their Gram matrix."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(channels, channels)) / 2 + np.eye(channels)
    inputs = rng.normal(size=(200, channels)) @ mixing
    kernel = rng.normal(size=(channels, filters)).astype(np.float32)
    return kernel, inputs, inputs.T @ inputs / len(inputs)


def least_error(inputs, targets, kept):
    """The mean square error of the best filters that read the kept channels alone."""
    best, *_ = np.linalg.lstsq(inputs[:, kept], targets, rcond=None)
    return float(((targets - inputs[:, kept] @ best) ** 2).sum()) / len(inputs)


def naive_elimination(inputs, filters_kn, steps):
    """Tries every channel in turn, by least squares."""
    alive, errors, order = list(range(len(filters_kn))), [0.0], []
    for _ in range(steps):
        tried = {
            channel: least_error(
                inputs, inputs @ filters_kn, [c for c in alive if c != channel]
            )
            for channel in alive
        }
        channel = min(tried, key=tried.get)
        alive.remove(channel)
        order.append(channel)
        errors.append(tried[channel])
    return order, np.diff(errors)


def test_a_contribution_is_what_least_squares_loses_with_the_weight():
    kernel, inputs, gram = problem(0, 5, 3)
    found = second_order.contributions(kernel, gram)
    for channel in range(5):
        others = [c for c in range(5) if c != channel]
        for filter_ in range(3):
            targets = inputs @ kernel[:, [filter_]]
            expected = least_error(inputs, targets, others)
            assert found[channel, filter_] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(("filters", "n"), [(4, 4), (6, 2), (7, 3), (2, 4)])
def test_elimination_is_the_greedy_one_by_least_squares(filters, n):
    kernel, inputs, gram = problem(1, 7, filters)
    found = second_order.eliminate(kernel, gram, n, 0.3)
    steps = found.order_rt.shape[1]
    assert steps == 6
    for row, start in enumerate(range(0, filters, n)):
        order, costs = naive_elimination(inputs, kernel[:, start : start + n], steps)
        assert list(found.order_rt[row]) == order
        expected = np.maximum.accumulate(costs)
        np.testing.assert_allclose(found.costs_rt[row], expected, rtol=2e-3)


def test_blocks_that_go_together_cost_what_least_squares_loses():
    kernel, inputs, gram = problem(2, 144, 4)
    found = second_order.eliminate(kernel, gram, 4, 0.25)
    gone = found.order_rt[0, :3]
    assert found.channels == 144  # three go at a time
    kept = np.setdiff1d(np.arange(144), gone)
    lost = least_error(inputs, inputs @ kernel, kept)
    assert found.costs_rt[0, :3].sum() == pytest.approx(lost, rel=0.02)


@given(
    channels=st.integers(1, 12),
    filters=st.integers(1, 9),
    n=st.integers(1, 5),
    sparsity=st.floats(0, 0.99),
    uniform=st.booleans(),
)
def test_as_many_blocks_stay_as_the_rule_counts(
    channels, filters, n, sparsity, uniform
):
    kernel, _, gram = problem(3, channels, filters)
    eliminated = second_order.eliminate(kernel, gram, n, sparsity)
    kept = eliminated.kept_blocks(sparsity, uniform=uniform)
    assert kept.shape == (channels, -(-filters // n))
    if uniform:
        expected = masks.kept_count(channels, sparsity)
        assert (kept.sum(axis=0) == expected).all()
    else:
        assert kept.sum() == masks.kept_count(kept.size, sparsity)


def test_a_row_that_costs_nothing_gives_up_more_than_the_others():
    kernel, _, gram = problem(4, 8, 8)
    kernel[:, :4] *= 1e-3
    eliminated = second_order.eliminate(kernel, gram, 4, 0.5)
    assert list(eliminated.kept_blocks(0.5).sum(axis=0)) == [0, 8]
    uniform = eliminated.kept_blocks(0.5, uniform=True)
    assert list(uniform.sum(axis=0)) == [4, 4]


def test_errors_rise_to_all_that_the_outputs_vary():
    kernel, _, gram = problem(5, 10, 6)
    kernel /= np.sqrt(np.einsum("km,kl,lm->m", kernel, gram, kernel))
    found = second_order.errors(kernel, gram, 3)
    assert found.shape == (20,)
    assert (np.diff(found) >= 0).all()
    assert found.sum() == pytest.approx(1, rel=0.5)
