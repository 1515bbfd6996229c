"""Weights by ridge least squares: under a mask, past a clipping, and per channel.

All solve ``min E[(y - x w)^2] + ridge |w - w0|^2``: the fit to a target is pulled to
the weights at hand, so that inputs that tell nothing leave them as they are.
"""

import math
from collections.abc import Callable

import numpy as np
import scipy.linalg


class MaskedRidge:
    """Solves for the kept weights ``[K, M]`` of a layer, again for every target.

    Filters that read the same input channels, as those of a block row do, share one
    factorization.
    """

    def __init__(self, gram_kk: np.ndarray, kept_km: np.ndarray, ridge: float):
        """Factorizes.

        Args:
          gram_kk: ``E[x x^T]`` ``[K, K]``.
          kept_km: boolean; the other weights are zero.
          ridge: at least 0, in units of the Gram matrix.
        """
        self._ridge = ridge
        self._shape = kept_km.shape
        supports, self._which = np.unique(kept_km, axis=1, return_inverse=True)
        self._factors: list[tuple[np.ndarray, tuple[np.ndarray, bool]]] = []
        for support in supports.T:
            kept = np.flatnonzero(support)
            matrix = gram_kk[np.ix_(kept, kept)]
            matrix[np.diag_indices(kept.size)] += ridge
            factor = scipy.linalg.cho_factor(
                matrix, lower=True, overwrite_a=True, check_finite=False
            )
            self._factors.append((kept, factor))

    def solve(self, cross_km: np.ndarray, towards_km: np.ndarray) -> np.ndarray:
        """Returns the weights ``[K, M]``.

        Args:
          cross_km: ``E[x y^T]`` with the targets ``y``.
          towards_km: the weights that the ridge pulls to.
        """
        right_km = cross_km + self._ridge * towards_km
        solved = np.zeros(self._shape, right_km.dtype)
        for index, (kept, factor) in enumerate(self._factors):
            filters = np.flatnonzero(self._which == index)
            where = np.ix_(kept, filters)
            solved[where] = scipy.linalg.cho_solve(
                factor, right_km[where], check_finite=False
            )
        return solved


def past_clipping(
    predicted: np.ndarray, target: np.ndarray, bounds: tuple[float, float]
) -> np.ndarray:
    """Returns a target that asks nothing where a clipping hides the difference.

    Where the target lies past a bound, any prediction past the same bound is right, as
    the clipped outputs are equal; one that is not there is drawn to the bound. What a
    prediction lacks to this target is no less than the error after the clipping, and
    fits to it, renewed in turn, never raise it (majorization and minimization).

    Args:
      predicted: of any shape.
      target: of the same shape.
      bounds: of the clipping, as (0, 6) for ReLU6; infinite where there is none.
    """
    low, high = bounds
    wanted = np.where(target <= low, np.minimum(predicted, low), target)
    return np.where(target >= high, np.maximum(predicted, high), wanted)


def renewed(
    fit: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int
) -> np.ndarray:
    """Renews a fit several times, each time further on from where the last two point.

    Fits past a clipping are the gradient steps of a convex error, so that Nesterov's
    momentum (1983) gets further in as many of them.

    Args:
      fit: returns new weights for weights.
      start: the first weights, of any shape.
      steps: how often, at least 0.
    """
    at = last = start
    momentum = 1.0
    for _ in range(steps):
        found = fit(at)
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        at = found + (momentum - 1) / following * (found - last)
        last, momentum = found, following
    return last


def per_channel(
    gram_ctt: np.ndarray,
    cross_ct: np.ndarray,
    towards_ct: np.ndarray,
    ridge: float,
    *,
    biased: bool = True,
) -> np.ndarray:
    """Solves for the taps of each channel of a depthwise convolution.

    Args:
      gram_ctt: ``E[x x^T]`` of each channel's window ``[C, T, T]``.
      cross_ct: ``E[x y]`` with the targets ``[C, T]``.
      towards_ct: what the ridge pulls to ``[C, T]``.
      ridge: as a share of the mean square of a channel's inputs.
      biased: whether the last place of a window is a constant 1, the input of a bias,
        which is hardly pulled.

    Returns:
      Taps, and perhaps the bias, ``[C, T]``.
    """
    squares_ct = np.einsum("ctt->ct", gram_ctt)
    pull_t = np.ones(towards_ct.shape[1], towards_ct.dtype)
    if biased:
        squares_ct = squares_ct[:, :-1]
        pull_t[-1] = 1e-3
    strength_ct = ridge * np.maximum(squares_ct.mean(axis=1), 1e-6)[:, None] * pull_t
    matrix_ctt = gram_ctt + strength_ct[:, :, None] * np.eye(towards_ct.shape[1])
    right_ct = cross_ct + strength_ct * towards_ct
    return np.linalg.solve(matrix_ctt, right_ct[:, :, None])[:, :, 0]
