import numpy as np
import pytest

from tfmot_onexn.pruning.calibration import statistics
from tfmot_onexn.pruning.calibration.samples import Rows, Taps
from tfmot_onexn.pruning.calibration.statistics import RowStatistics, TapStatistics
from tfmot_onexn.sparsity import least_squares


@pytest.fixture
def rows(rng):
    inputs = rng.normal(1, 2, (300, 5)).astype(np.float32)
    targets = inputs @ rng.normal(size=(5, 3)).astype(np.float32) + 2
    return inputs, targets


@pytest.mark.parametrize("centred", [True, False])
def test_moments_and_errors_are_those_of_the_rows(rows, rng, centred):
    inputs, targets = rows
    found = RowStatistics(
        Rows(inputs.copy(), targets.copy(), True), 0.1, centred=centred
    )
    kernel = rng.normal(size=(5, 3)).astype(np.float32)
    made, wanted = inputs @ kernel, targets
    if centred:
        mean, variance = found.moments(kernel)
        np.testing.assert_allclose(mean, made.mean(0), rtol=1e-4)
        np.testing.assert_allclose(variance, made.var(0), rtol=1e-4)
        made, wanted = made - made.mean(0), wanted - wanted.mean(0)
    expected = ((made - wanted) ** 2).mean() / (wanted**2).mean()
    assert found.error(kernel) == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(found.deviation() ** 2, (wanted**2).mean(0), rtol=1e-3)


def test_a_fit_finds_the_kernel_that_made_the_targets(rng):
    inputs = rng.normal(size=(300, 5)).astype(np.float32)
    kernel = rng.normal(size=(5, 3)).astype(np.float32)
    found = RowStatistics(Rows(inputs, inputs @ kernel + 3, True), 1e-6, centred=True)
    np.testing.assert_allclose(found.fit(0 * kernel), kernel, atol=1e-3)
    np.testing.assert_allclose(found.mean_m - found.mean_k @ kernel, 3, atol=1e-3)
    far = RowStatistics(Rows(inputs, inputs @ kernel, True), 1e6, centred=True)
    np.testing.assert_allclose(far.fit(kernel + 1), kernel + 1, atol=1e-3)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_moments_past_a_clipping_are_those_of_its_targets(
    rows, rng, monkeypatch, centred, chunk
):
    monkeypatch.setattr(statistics, "_CHUNK", chunk)
    inputs, targets = rows
    found = RowStatistics(
        Rows(inputs.copy(), targets.copy(), True), 0.1, centred=centred
    )
    kernel = rng.normal(size=(5, 3)).astype(np.float32)
    given, bounds = np.float32([1, 0, -1]), (-1, 4)
    mean, cross = found.clipped_moments(kernel, given, bounds)
    read = inputs - inputs.mean(0) if centred else inputs
    wanted = least_squares.past_clipping(read @ kernel + given, targets, bounds)
    assert (wanted != targets).any()
    np.testing.assert_allclose(mean, wanted.mean(0) if centred else given, rtol=1e-4)
    np.testing.assert_allclose(cross, read.T @ wanted / 300, rtol=1e-4, atol=1e-4)


def test_outputs_that_do_not_vary_have_a_deviation_all_the_same(rng):
    inputs = rng.normal(size=(20, 2)).astype(np.float32)
    targets = np.stack([inputs[:, 0], np.full(20, 3, np.float32)], axis=1)
    found = RowStatistics(Rows(inputs, targets, False), 0.1, centred=True)
    assert (found.deviation() > 0).all()
    nothing = Rows(np.zeros((4, 2), np.float32), np.zeros((4, 3), np.float32), False)
    assert RowStatistics(nothing, 0.1, centred=True).error(np.zeros((2, 3))) == 0


def test_moments_and_errors_of_taps_are_those_of_the_windows(rng):
    windows = rng.normal(1, 1, (2, 200, 5))
    windows[..., -1] = 1
    targets = rng.normal(size=(2, 200))
    found = TapStatistics(Taps(windows, targets, True))
    np.testing.assert_allclose(
        found.cross(targets), np.einsum("cst,cs->ct", windows, targets) / 200
    )
    expected = np.einsum("cst,csu->ctu", windows, windows) / 200
    np.testing.assert_allclose(found.gram_ctt, expected)
    taps, bias = rng.normal(size=(4, 2)), rng.normal(size=2)
    made = np.einsum("cst,tc->cs", windows[..., :-1], taps)
    mean, variance = found.moments(taps)
    np.testing.assert_allclose(mean, made.mean(axis=1))
    np.testing.assert_allclose(variance, made.var(axis=1))
    expected = ((made + bias[:, None] - targets) ** 2).mean(axis=1).sum()
    error = found.error(taps, bias)
    assert error == pytest.approx(expected / targets.var(axis=1).sum())
