"""Exchanges of filters between block rows."""

import time

import numpy as np

from tfmot_onexn.sparsity.objective import Objective

_MAX_SWEEPS = 30
_RELATIVE_GAIN = 1e-4
_SCRATCH_BYTES = 256 * 1024
# partners are looked for on that many input channels, and then tried on all
_SCREENED_CHANNELS = 512
_TRIED_PARTNERS = 4


def swap(
    objective: Objective, order: np.ndarray, seed: int, deadline: float
) -> np.ndarray:
    """Exchanges pairs of filters between rows, sweep by sweep, while it pays.

    After a full sweep only filters whose row has changed are tried again; when none
    gains, a last full sweep must confirm it.
    """
    rng = np.random.default_rng(seed)
    everyone = np.arange(objective.num_filters)
    best, best_kept = order, objective.kept(order)
    candidates = everyone
    for _ in range(_MAX_SWEEPS):
        if time.monotonic() > deadline:
            break
        full = candidates.size == everyone.size
        order, candidates = _sweep(objective, order, rng.permutation(candidates), rng)
        kept = objective.kept(order)
        gained = kept > best_kept * (1 + _RELATIVE_GAIN)
        if kept > best_kept:
            best, best_kept = order, kept
        if not gained or not candidates.size:
            if full:
                break
            candidates = everyone
    return best


def _sweep(
    objective: Objective,
    order: np.ndarray,
    candidates: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Gives every candidate one exchange with the partner that gains most.

    At fixed thresholds t the kept saliency is, up to a constant, the sum over blocks
    of max(sum - t, 0); an exchange changes two rows of it. Where there are very many
    input channels, partners are looked for on a random choice of them.

    Returns:
      The new order ``[M]`` and the filters whose row has changed.
    """
    scores_mk = objective.scores_mk
    rows = objective.rows_of(order)
    sums_rk = objective.block_sums(order)
    thresholds_rk = objective.thresholds(sums_rk)
    surplus_rk = sums_rk - thresholds_rk
    value_r = np.maximum(surplus_rk, 0).sum(axis=1)
    # surplus of each filter's row without that filter
    rest_mk = surplus_rk[rows] - scores_mk
    tolerance = 1e-6 * float(value_r.mean())
    changed = np.zeros(objective.num_rows, bool)
    screen = _Screen(scores_mk, rest_mk, rng)

    for one in candidates:
        row = rows[one]
        for other in screen.partners(one, rows):
            gain = np.maximum(scores_mk[other] + rest_mk[one], 0).sum()
            gain += np.maximum(scores_mk[one] + rest_mk[other], 0).sum()
            if gain - value_r[rows[other]] - value_r[row] > tolerance:
                break
        else:
            continue
        rows[one], rows[other] = rows[other], row
        for exchanged in (rows[one], rows[other]):
            members = np.flatnonzero(rows == exchanged)
            surplus = scores_mk[members].sum(axis=0) - thresholds_rk[exchanged]
            value_r[exchanged] = np.maximum(surplus, 0).sum()
            rest_mk[members] = surplus - scores_mk[members]
            screen.renew(members)
            changed[exchanged] = True
    return np.argsort(rows, kind="stable"), np.flatnonzero(changed[rows])


class _Screen:
    """Ranks the partners of a filter by the gain of an exchange.

    On all input channels the first partner is the best one; on a random choice of them
    the gains are estimates and a few partners are returned.
    """

    def __init__(
        self, scores_mk: np.ndarray, rest_mk: np.ndarray, rng: np.random.Generator
    ):
        self._all_rest_mk = rest_mk
        self._columns: np.ndarray | slice = slice(None)
        self._partners = 1
        if scores_mk.shape[1] > _SCREENED_CHANNELS:
            columns = rng.choice(scores_mk.shape[1], _SCREENED_CHANNELS, replace=False)
            self._columns = np.sort(columns)
            self._partners = min(_TRIED_PARTNERS, scores_mk.shape[0])
        self._scores_mk = scores_mk[:, self._columns]
        self._rest_mk = rest_mk[:, self._columns]
        self._value_with = _PairwiseValue(self._scores_mk.shape)
        self._value_m = self._values(slice(None))

    def _values(self, filters) -> np.ndarray:
        """Returns what the rows of some filters keep with the filters in them."""
        with_filter = self._rest_mk[filters] + self._scores_mk[filters]
        return np.maximum(with_filter, 0).sum(axis=1)

    def renew(self, filters: np.ndarray) -> None:
        """Takes over what has changed for the filters of a row."""
        if self._partners > 1:
            self._rest_mk[filters] = self._all_rest_mk[filters][:, self._columns]
        self._value_m[filters] = self._values(filters)

    def partners(self, one: int, rows: np.ndarray) -> np.ndarray:
        """Returns the filters whose exchange with ``one`` gains most, best first."""
        gain = self._value_with(self._scores_mk, self._rest_mk[one])
        gain += self._value_with(self._rest_mk, self._scores_mk[one])
        gain -= self._value_m
        gain[rows == rows[one]] = -np.inf
        if self._partners == 1:
            return np.array([gain.argmax()])
        best = np.argpartition(gain, -self._partners)[-self._partners :]
        return best[np.argsort(-gain[best])]


class _PairwiseValue:
    """Computes sum_k max(left[m, k] + right[k], 0) for each m, in cache-sized parts."""

    def __init__(self, shape: tuple[int, int]):
        rows = max(1, _SCRATCH_BYTES // (4 * shape[1]))
        self.parts = [slice(at, at + rows) for at in range(0, shape[0], rows)]
        self.scratch = np.empty((min(rows, shape[0]), shape[1]), np.float32)
        self.ones = np.ones(shape[1], np.float32)
        self.num_rows = shape[0]

    def __call__(self, left_mk: np.ndarray, right_k: np.ndarray) -> np.ndarray:
        values = np.empty(self.num_rows, np.float32)
        for part in self.parts:
            scratch = self.scratch[: left_mk[part].shape[0]]
            np.add(left_mk[part], right_k, out=scratch)
            np.maximum(scratch, 0, out=scratch)
            np.matmul(scratch, self.ones, out=values[part])
        return values
