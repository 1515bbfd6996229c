import numpy as np
import pytest

from tfmot_onexn.pruning.calibration import solve
from tfmot_onexn.pruning.calibration.folding import Linear
from tfmot_onexn.pruning.calibration.samples import Rows, Taps
from tfmot_onexn.pruning.calibration.statistics import RowStatistics, TapStatistics

NOTHING = (-np.inf, np.inf)


@pytest.fixture
def rows(rng):
    """Inputs, a kernel and its outputs with a bias."""
    inputs = rng.normal(0.5, 1, (500, 8)) @ rng.normal(size=(8, 8))
    kernel = rng.normal(size=(8, 6))
    targets = inputs @ kernel + rng.normal(size=6)
    return [values.astype(np.float32) for values in (inputs, kernel, targets)]


def statistics(inputs, targets, *, centred=True):
    return RowStatistics(
        Rows(inputs.copy(), targets.copy(), True), 1e-6, centred=centred
    )


def test_solved_rows_are_the_best_under_their_mask(rows, rng):
    inputs, kernel, targets = rows
    kept = rng.random((8, 6)) < 0.5
    found = solve.solve_rows(kernel, statistics(inputs, targets), kept, NOTHING, 3)
    for one in range(6):
        read = np.column_stack([inputs[:, kept[:, one]], np.ones(500)])
        expected, *_ = np.linalg.lstsq(read, targets[:, one], rcond=None)
        np.testing.assert_allclose(
            [*found.kernel_km[kept[:, one], one], found.bias_m[one]],
            expected,
            atol=2e-2,
        )
    assert (found.kernel_km[~kept] == 0).all()


def test_rows_without_a_bias_are_solved_about_zero(rows):
    inputs, kernel, targets = rows
    kept = np.ones((8, 6), bool)
    kept[::2] = False
    found = solve.solve_rows(
        kernel, statistics(inputs, targets, centred=False), kept, (0, 6), 4
    )
    np.testing.assert_allclose(found.bias_m, 0, atol=1e-6)
    assert (found.kernel_km[~kept] == 0).all()


@pytest.mark.parametrize("bounds", [(0, 6), (-3, np.inf)])
def test_steps_past_a_clipping_lower_what_it_lets_through(rows, bounds):
    inputs, kernel, targets = rows
    kept = np.ones((8, 6), bool)
    kept[::2] = False
    errors = []
    for steps in (0, 5):
        found = solve.solve_rows(
            kernel, statistics(inputs, targets), kept, bounds, steps
        )
        made = inputs @ found.kernel_km + found.bias_m
        errors.append(((np.clip(made, *bounds) - np.clip(targets, *bounds)) ** 2).sum())
    assert errors[1] < errors[0]


def test_matched_rows_have_the_moments_of_their_targets(rows, rng):
    inputs, kernel, targets = rows
    kept = rng.random((8, 6)) < 0.6
    kept[0] = True
    found, stretch = solve.match_rows(kernel, statistics(inputs, targets), kept)
    np.testing.assert_allclose(found.kernel_km, kernel * kept * stretch, rtol=1e-5)
    made = inputs @ found.kernel_km + found.bias_m
    np.testing.assert_allclose(made.mean(0), targets.mean(0), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(made.std(0), targets.std(0), rtol=1e-3)


@pytest.mark.parametrize("uniform", [False, True])
def test_a_block_that_others_make_up_for_goes_first(rng, uniform):
    inputs = rng.normal(size=(400, 4)).astype(np.float32)
    inputs[:, 3] = inputs[:, 0]  # says nothing new, however large its weights
    kernel = np.full((4, 4), 0.1, np.float32)
    kernel[3] = 5
    found = solve.kept_by_second_order(
        kernel, statistics(inputs, inputs @ kernel), 4, 0.25, uniform=uniform
    )
    gone = np.flatnonzero(~found.any(axis=1))
    assert list(gone) in ([0], [3])
    assert found.sum() == 12


def windows(rng):
    inputs = rng.normal(0.3, 1, (3, 300, 5))
    inputs[..., -1] = 1
    targets = np.einsum("cst,ct->cs", inputs, rng.normal(size=(3, 5)))
    return inputs, targets, TapStatistics(Taps(inputs, targets, True))


@pytest.mark.parametrize("biased", [True, False])
def test_solved_taps_make_their_targets(rng, biased):
    inputs, targets, found = windows(rng)
    bias = rng.normal(size=3) if biased else np.zeros(3)
    dense = Linear(rng.normal(size=(4, 3)), bias)
    solved = solve.solve_taps(dense, found, 1e-7, NOTHING, 3, biased=biased)
    made = np.einsum("cst,tc->cs", inputs[..., :-1], solved.kernel_km)
    made += solved.bias_m[:, None]
    if biased:
        np.testing.assert_allclose(made, targets, atol=1e-3)
    else:
        assert (solved.bias_m == 0).all()
        for channel in range(3):
            best, *_ = np.linalg.lstsq(
                inputs[channel, :, :-1], targets[channel], rcond=None
            )
            np.testing.assert_allclose(solved.kernel_km[:, channel], best, atol=1e-3)


def test_taps_past_a_clipping_let_less_through(rng):
    inputs, targets, _ = windows(rng)
    targets = targets + rng.normal(size=targets.shape)
    found = TapStatistics(Taps(inputs, targets, True))
    dense = Linear(rng.normal(size=(4, 3)), rng.normal(size=3))
    errors = []
    for steps in (0, 8):
        solved = solve.solve_taps(dense, found, 1e-7, (0, 2), steps, biased=True)
        made = found.predict(solved.kernel_km, solved.bias_m)
        errors.append(((np.clip(made, 0, 2) - np.clip(targets, 0, 2)) ** 2).sum())
    assert errors[1] < errors[0]


def test_matched_taps_have_the_moments_of_their_targets(rng):
    inputs, targets, found = windows(rng)
    dense = Linear(rng.normal(size=(4, 3)), rng.normal(size=3))
    matched, stretch = solve.match_taps(dense, found)
    np.testing.assert_allclose(matched.kernel_km, dense.kernel_km * stretch)
    made = np.einsum("cst,tc->cs", inputs[..., :-1], matched.kernel_km)
    made += matched.bias_m[:, None]
    np.testing.assert_allclose(made.mean(1), targets.mean(1), atol=1e-6)
    np.testing.assert_allclose(made.std(1), targets.std(1), rtol=1e-6)
