"""Filters change block rows, one of each row at a time, in a noise that cools down.

At fixed thresholds t the kept saliency is, up to a constant, the sum over blocks of
max(sum - t, 0). When one filter leaves each row, that sum divides into one value for
each row and filter, so a linear assignment finds the best way to seat them again, all
cycles of exchanges included. Noise on the values leads out of local optima, as in
simulated annealing (Kirkpatrick et al., Science 220, 1983).
"""

import math
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from tfmot_onexn.sparsity import row_values as row_values_lib
from tfmot_onexn.sparsity.objective import Objective

# a round lets every filter leave its row once
_MAX_ROUNDS = 160
_ROUNDS_PER_ROW = 8
# with a time limit the rounds may be that many times more
_PATIENCE = 20
# noise over the spread of the values: first, last, and the share of steps without
_HOT, _COLD, _QUIET = 0.2, 0.02, 0.1


def anneal(
    objective: Objective, order: np.ndarray, seed: int, deadline: float = math.inf
) -> np.ndarray:
    """Searches from an order for one that keeps more.

    Args:
      objective: the filters, and what is kept of them.
      order: to start from, ``[M]``.
      seed: of the noise, and of which filters leave together.
      deadline: when to end, on the clock of `time.monotonic`. With one, the noise cools
        down by the time spent; without, by the number of steps.

    Returns:
      The best order found ``[M]``, which keeps no less than the first.
    """
    rng = np.random.default_rng(seed)
    cooling = _Cooling(objective, deadline)
    row_values = row_values_lib.of(objective)
    starts = np.arange(0, objective.num_filters, objective.n)
    widths = np.diff(starts, append=objective.num_filters)
    best, best_kept = order, objective.kept(order)
    step = 0
    while (temperature := cooling.temperature(step)) is not None:
        if step % objective.n == 0:
            shuffled = np.lexsort((rng.random(order.size), objective.row_of_seat))
            order = order[shuffled]
            sums_rk = objective.block_sums(order)
        thresholds_rk, kept = objective.thresholds(sums_rk)
        if kept > best_kept:
            best, best_kept = order.copy(), kept
        # a narrow last row runs out of filters and begins anew
        seats = starts + step % objective.n % widths
        leaving = order[seats]
        leaving_rk = objective.scores_mk[leaving]
        rest_rk = sums_rk - leaving_rk
        value_rr = row_values(rest_rk, leaving_rk, thresholds_rk)
        value_rr += temperature * _spread(value_rr) * _noise(rng, value_rr.shape)
        _, arriving = linear_sum_assignment(value_rr, maximize=True)
        order[seats] = leaving[arriving]
        sums_rk = rest_rk + leaving_rk[arriving]
        step += 1
    return objective.better(best, order)


class _Cooling:
    """How much noise there is, step by step."""

    def __init__(self, objective: Objective, deadline: float):
        rounds = min(_MAX_ROUNDS, _ROUNDS_PER_ROW * objective.num_rows)
        patience = 1 if math.isinf(deadline) else _PATIENCE
        self._steps = rounds * objective.n * patience
        self._begin = time.monotonic()
        self._seconds = max(1e-9, deadline - self._begin)

    def temperature(self, step: int) -> float | None:
        """Returns the noise over the spread of the values, None at the end."""
        spent = (time.monotonic() - self._begin) / self._seconds
        progress = max(step / self._steps, spent)
        if progress >= 1:
            return None
        progress /= 1 - _QUIET
        return 0.0 if progress > 1 else _HOT * (_COLD / _HOT) ** progress


def _spread(value_rr: np.ndarray) -> np.ndarray:
    """Returns the deviation of values from the sum of a row's and a column's share."""
    shared = value_rr.mean(axis=0) + value_rr.mean(axis=1, keepdims=True)
    return (value_rr - shared).std()


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape, np.float32)
