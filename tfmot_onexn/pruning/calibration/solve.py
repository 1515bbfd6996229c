"""Chooses the blocks of a unit and solves for what stays."""

import numpy as np

from tfmot_onexn.pruning.calibration.folding import Linear
from tfmot_onexn.pruning.calibration.statistics import RowStatistics, TapStatistics
from tfmot_onexn.sparsity import blocks, least_squares, second_order

# to match the dense network's deviations, no channel is scaled by more
_MOST_STRETCH = 10.0


def kept_by_second_order(
    dense_km: np.ndarray,
    statistics: RowStatistics,
    n: int,
    sparsity: float,
    *,
    uniform: bool = False,
) -> np.ndarray:
    """Returns which weights ``[K, M]`` stay so that the output loses little.

    A filter counts by how its output varies, so the errors of all are alike.

    Args:
      dense_km: the kernel with its BatchNormalization.
      statistics: of the unit.
      n: output channels per block.
      sparsity: share of blocks that go, in [0, 1).
      uniform: the same number in every block row.
    """
    normalized_km = statistics.fit(dense_km) / statistics.deviation()
    eliminated = second_order.eliminate(
        normalized_km, statistics.ridged_kk, n, sparsity
    )
    kept_kr = eliminated.kept_blocks(sparsity, uniform=uniform)
    return blocks.expand_blocks(kept_kr, dense_km.shape, n)


def solve_rows(
    dense_km: np.ndarray,
    statistics: RowStatistics,
    kept_km: np.ndarray,
    bounds: tuple[float, float],
    relu_steps: int,
) -> Linear:
    """Returns the weights that fit the targets best, and their bias.

    Args:
      dense_km: the kernel that the ridge pulls to.
      statistics: of the unit.
      kept_km: the other weights are zero.
      bounds: past which the activation is constant.
      relu_steps: how often the fit is renewed past them.
    """
    ridge = least_squares.MaskedRidge(statistics.gram_kk, kept_km, statistics.ridge)

    def fit(towards_nm: np.ndarray) -> np.ndarray:
        """Renews weights, in whose last row stands the mean of the outputs."""
        towards_km = towards_nm[:-1]
        mean_m, cross_km = statistics.clipped_moments(
            towards_km, towards_nm[-1], bounds
        )
        return np.vstack([ridge.solve(cross_km, towards_km), mean_m])

    first_km = ridge.solve(statistics.cross(statistics.targets_sm), dense_km)
    found_nm = least_squares.renewed(
        fit,
        np.vstack([first_km, statistics.mean_m]),
        relu_steps if np.isfinite(bounds).any() else 0,
    )
    kernel_km, mean_m = found_nm[:-1], found_nm[-1]
    return Linear(kernel_km, mean_m - statistics.mean_k @ kernel_km)


def match_rows(
    dense_km: np.ndarray, statistics: RowStatistics, kept_km: np.ndarray
) -> tuple[Linear, np.ndarray]:
    """Keeps the weights and gives each output the mean and deviation it should have.

    Returns:
      The map, and what the BatchNormalization scales by more than before ``[M]``.
    """
    masked_km = dense_km * kept_km
    _, variance_m = statistics.moments(masked_km)
    stretch_m = _stretch((statistics.targets_sm**2).mean(axis=0), variance_m)
    kernel_km = masked_km * stretch_m
    bias_m = statistics.mean_m - statistics.mean_k @ kernel_km
    return Linear(kernel_km, bias_m), stretch_m


def solve_taps(
    dense: Linear,
    statistics: TapStatistics,
    ridge: float,
    bounds: tuple[float, float],
    relu_steps: int,
    *,
    biased: bool,
) -> Linear:
    """Returns taps and bias of a depthwise convolution that fit its targets best.

    Args:
      dense: what the ridge pulls to.
      statistics: of the unit.
      ridge: as a share of the mean square of a channel's inputs.
      bounds: past which the activation is constant.
      relu_steps: how often the fit is renewed past them.
      biased: whether the unit has a bias.
    """
    places = slice(None) if biased else slice(None, -1)

    def fit_to(targets_cs: np.ndarray, towards_ct: np.ndarray) -> np.ndarray:
        found_ct = towards_ct.copy()
        found_ct[:, places] = least_squares.per_channel(
            statistics.gram_ctt[:, places, places],
            statistics.cross(targets_cs)[:, places],
            towards_ct[:, places],
            ridge,
            biased=biased,
        )
        return found_ct

    def fit(towards_ct: np.ndarray) -> np.ndarray:
        made_cs = statistics.predict(towards_ct[:, :-1].T, towards_ct[:, -1])
        wanted_cs = least_squares.past_clipping(made_cs, statistics.targets_cs, bounds)
        return fit_to(wanted_cs, towards_ct)

    dense_ct = np.vstack([dense.kernel_km, dense.bias_m]).T
    found_ct = least_squares.renewed(
        fit,
        fit_to(statistics.targets_cs, dense_ct),
        relu_steps if np.isfinite(bounds).any() else 0,
    )
    return Linear(found_ct[:, :-1].T, found_ct[:, -1])


def match_taps(dense: Linear, statistics: TapStatistics) -> tuple[Linear, np.ndarray]:
    """Does what `match_rows` does for a depthwise convolution."""
    mean_c, variance_c = statistics.moments(dense.kernel_km)
    wanted_mean_c, wanted_c = statistics.target_moments
    stretch_c = _stretch(wanted_c, variance_c)
    bias_c = wanted_mean_c - mean_c * stretch_c
    return Linear(dense.kernel_km * stretch_c, bias_c), stretch_c


def _stretch(wanted_m: np.ndarray, variance_m: np.ndarray) -> np.ndarray:
    """Returns the ratio of deviations, within reason."""
    smallest = max(1e-8 * float(wanted_m.max()), 1e-20)
    ratio_m = np.maximum(wanted_m, smallest) / np.maximum(variance_m, smallest)
    return np.minimum(np.sqrt(ratio_m), _MOST_STRETCH)
