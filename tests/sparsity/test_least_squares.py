import numpy as np
import pytest

from tfmot_onexn.sparsity import least_squares
from tfmot_onexn.sparsity.least_squares import MaskedRidge


def augmented(inputs, targets, towards, ridge):
    """Ridge regression as plain least squares with a row more for each weight."""
    scale = np.sqrt(ridge * len(inputs))
    rows = np.vstack([inputs, scale * np.eye(inputs.shape[1])])
    right = np.concatenate([targets, scale * towards])
    return np.linalg.lstsq(rows, right, rcond=None)[0]


def test_a_ridge_solution_is_that_of_the_augmented_system(rng):
    inputs, targets = rng.normal(size=(50, 6)), rng.normal(size=(50, 4))
    towards, kept = rng.normal(size=(6, 4)), rng.random((6, 4)) < 0.6
    kept[:, 2], kept[:, 3] = kept[:, 1], False
    ridge = MaskedRidge(inputs.T @ inputs / 50, kept, 0.3)
    for target in (targets, rng.normal(size=(50, 4))):
        found = ridge.solve(inputs.T @ target / 50, towards)
        assert (found[~kept] == 0).all()
        for one in range(4):
            read = kept[:, one]
            expected = augmented(
                inputs[:, read], target[:, one], towards[read, one], 0.3
            )
            np.testing.assert_allclose(found[read, one], expected, atol=1e-10)


def test_inputs_that_tell_nothing_leave_the_weights(rng):
    towards = rng.normal(size=(3, 2))
    ridge = MaskedRidge(np.zeros((3, 3)), np.ones((3, 2), bool), 0.1)
    np.testing.assert_allclose(ridge.solve(np.zeros((3, 2)), towards), towards)


@pytest.mark.parametrize("bounds", [(0, 6), (0, np.inf), (-3, np.inf)])
def test_nothing_is_asked_past_a_clipping(rng, bounds):
    predicted, target = rng.normal(2, 5, size=(2, 1000))
    wanted = least_squares.past_clipping(predicted, target, bounds)
    for guess, true, asked in zip(predicted, target, wanted, strict=True):
        low, high = bounds
        if true <= low:
            assert asked == min(guess, low)
        elif true >= high:
            assert asked == max(guess, high)
        else:
            assert asked == true


@pytest.fixture
def clipped_layer(rng):
    """Inputs, what half of the weights should make of them, and their ridge."""
    inputs = rng.normal(size=(400, 8))
    true = inputs @ rng.normal(size=(8, 5))
    kept = np.ones((8, 5), bool)
    kept[::2] = False
    ridge = MaskedRidge(inputs.T @ inputs / 400, kept, 1e-9)
    return inputs, true, ridge


def test_each_fit_past_a_clipping_leaves_less_to_ask_for(clipped_layer):
    inputs, true, ridge = clipped_layer
    kernel = ridge.solve(inputs.T @ true / 400, np.zeros((8, 5)))
    errors = []
    for _ in range(6):
        predicted = inputs @ kernel
        wanted = least_squares.past_clipping(predicted, true, (0, 2))
        errors.append(float(((predicted - wanted) ** 2).mean()))
        clipped = np.clip(predicted, 0, 2) - np.clip(true, 0, 2)
        assert float((clipped**2).mean()) <= errors[-1]
        kernel = ridge.solve(inputs.T @ wanted / 400, kernel)
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 0.9 * errors[0]


def test_momentum_gets_further_in_fewer_fits(clipped_layer):
    inputs, true, ridge = clipped_layer

    def fit(kernel):
        wanted = least_squares.past_clipping(inputs @ kernel, true, (0, 2))
        return ridge.solve(inputs.T @ wanted / 400, kernel)

    def error(kernel):
        predicted = inputs @ kernel
        wanted = least_squares.past_clipping(predicted, true, (0, 2))
        return float(((predicted - wanted) ** 2).mean())

    start = plain = fit(np.zeros((8, 5)))
    assert least_squares.renewed(fit, start, 0) is start
    np.testing.assert_array_equal(least_squares.renewed(fit, start, 1), fit(start))
    for _ in range(7):
        plain = fit(plain)
    assert error(least_squares.renewed(fit, start, 5)) < error(plain) < error(start)


@pytest.mark.parametrize("biased", [True, False])
def test_taps_are_those_of_the_augmented_system(rng, biased):
    inputs, targets = rng.normal(size=(3, 40, 5)), rng.normal(size=(3, 40))
    if biased:
        inputs[..., -1] = 1
    towards = rng.normal(size=(3, 5))
    found = least_squares.per_channel(
        inputs.swapaxes(1, 2) @ inputs / 40,
        np.einsum("cst,cs->ct", inputs, targets) / 40,
        towards,
        0.2,
        biased=biased,
    )
    for channel in range(3):
        taps = inputs[channel, :, :-1] if biased else inputs[channel]
        pull = np.full(5, 0.2 * (taps**2).mean())
        pull[-1] *= 1e-3 if biased else 1
        scale = np.sqrt(40 * pull)
        rows = np.vstack([inputs[channel], np.diag(scale)])
        right = np.concatenate([targets[channel], scale * towards[channel]])
        expected = np.linalg.lstsq(rows, right, rcond=None)[0]
        np.testing.assert_allclose(found[channel], expected, atol=1e-10)
