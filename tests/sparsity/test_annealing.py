import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmot_onexn.sparsity import annealing
from tfmot_onexn.sparsity.objective import Objective


def _objective(seed, out_channels=9, n=3, uniform=False):
    rng = np.random.default_rng(seed)
    kernels = [rng.gamma(0.5, size=(inputs, out_channels)) for inputs in (5, 8)]
    return Objective(kernels, n, [0.5, 0.7], uniform, "l1", None)


def _best_of_all_divisions(objective):
    """Tries every order that puts the smallest filter of a row first."""
    return max(
        objective.kept(np.array(order))
        for order in itertools.permutations(range(objective.num_filters))
        if all(
            list(order[at : at + objective.n]) == sorted(order[at : at + objective.n])
            for at in range(0, objective.num_filters, objective.n)
        )
    )


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize(("out_channels", "n"), [(8, 4), (8, 2), (7, 4), (8, 3)])
def test_on_few_filters_it_is_near_the_best_of_all_divisions(out_channels, n, uniform):
    for seed in range(3):
        objective = _objective(seed, out_channels, n, uniform)
        start = np.arange(out_channels)
        best = _best_of_all_divisions(objective)
        found = objective.kept(annealing.anneal(objective, start, 0))
        assert 0.96 * best <= found <= best * (1 + 1e-6)
        assert objective.kept(start) < 0.96 * best


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(2, 9), st.booleans())
def test_it_returns_an_order_that_keeps_no_less(seed, out_channels, n, uniform):
    objective = _objective(seed, out_channels, n, uniform)
    start = np.random.default_rng(seed).permutation(out_channels)
    order = annealing.anneal(objective, start, seed)
    np.testing.assert_array_equal(np.sort(order), np.arange(out_channels))
    assert objective.kept(order) >= objective.kept(start)


def test_the_noise_ends_with_the_steps_or_with_the_time(monkeypatch):
    objective = _objective(0)
    steps = 8 * 3 * 3
    by_step = annealing._Cooling(objective, np.inf)
    assert by_step.temperature(0) == 0.2
    assert by_step.temperature(int(0.45 * steps)) == pytest.approx(0.064, rel=0.02)
    assert by_step.temperature(steps - 1) == 0.0
    assert by_step.temperature(steps) is None
    clock = iter([100.0, 100.0, 104.5, 109.5, 110.0])
    monkeypatch.setattr(annealing.time, "monotonic", lambda: next(clock))
    by_time = annealing._Cooling(objective, 110.0)
    found = [by_time.temperature(0) for _ in range(4)]
    assert found[:3] == pytest.approx([0.2, (0.2 * 0.02) ** 0.5, 0.0])
    assert found[3] is None


def test_a_deadline_that_has_passed_leaves_the_order():
    start = np.arange(9)
    order = annealing.anneal(_objective(0), start, 0, deadline=0.0)
    np.testing.assert_array_equal(order, start)
