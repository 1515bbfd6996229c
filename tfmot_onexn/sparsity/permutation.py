"""Filter rearrangement: the order of output channels that keeps the most saliency.

The paper sorts filters by their l1 norm (section 3.3). Here that is the first of
three methods, each of which keeps at least as much as the one before:

  l1          filters sorted by their norm, largest first
  assignment  in turn: the masks for fixed block rows, then a balanced linear
              assignment of filters to rows for fixed masks
  swaps       from the better of these, pairs of filters change rows at a fixed
              threshold while the kept saliency grows, then the threshold is renewed

Kernels that share their output channels are searched together: their contributions
stand side by side in one matrix ``[M, K]``, each kernel with a budget of its own.
"""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from tfmot_onexn.sparsity import blocks, masks
from tfmot_onexn.sparsity import saliency as saliency_lib

METHODS = ("l1", "assignment", "swaps")

_MAX_ASSIGNMENTS = 30
_MAX_SWEEPS = 30
_RELATIVE_GAIN = 1e-4
_SCRATCH_BYTES = 256 * 1024
# partners are looked for on that many input channels, and then tried on all
_SCREENED_CHANNELS = 512
_TRIED_PARTNERS = 4


def validate_method(method: str) -> None:
    """Raises ValueError unless ``method`` is one of `METHODS`."""
    if method not in METHODS:
        raise ValueError(
            f"Unknown rearrangement method {method!r}; choose one of {list(METHODS)}."
        )


class _Problem:
    """Filters to divide among block rows, and what a division keeps."""

    def __init__(
        self,
        kernels: Sequence[np.ndarray],
        n: int,
        sparsity: float,
        uniform: bool,
        saliency: str,
    ):
        self.n = n
        self.uniform = uniform
        per_kernel = [
            blocks.sum_window(saliency_lib.contributions(kernel, saliency)).T
            for kernel in kernels
        ]
        self.scores_mk = np.concatenate(per_kernel, axis=1).astype(np.float32)
        self.num_filters = self.scores_mk.shape[0]
        self.num_rows = blocks.num_block_rows(self.num_filters, n)
        ends = np.cumsum([matrix.shape[1] for matrix in per_kernel])
        self.segments = [
            slice(end - matrix.shape[1], end)
            for end, matrix in zip(ends, per_kernel, strict=True)
        ]
        self.budgets = [
            masks.kept_count(matrix.shape[1], sparsity)
            if uniform
            else masks.kept_count(matrix.shape[1] * self.num_rows, sparsity)
            for matrix in per_kernel
        ]

    def rows_of(self, order: np.ndarray) -> np.ndarray:
        """Returns the block row ``[M]`` of each filter under an order."""
        rows = np.empty(self.num_filters, np.int64)
        rows[order] = np.arange(self.num_filters) // self.n
        return rows

    def block_sums(self, order: np.ndarray) -> np.ndarray:
        """Returns the saliency ``[rows, K]`` of each block under an order."""
        starts = np.arange(0, self.num_filters, self.n)
        return np.add.reduceat(self.scores_mk[order], starts, axis=0)

    def thresholds(self, sums_rk: np.ndarray) -> np.ndarray:
        """Returns the smallest kept saliency for each block ``[rows, K]``."""
        thresholds = np.empty_like(sums_rk)
        for segment, budget in zip(self.segments, self.budgets, strict=True):
            part = sums_rk[:, segment]
            if self.uniform:
                column = part.shape[1] - budget
                smallest = np.partition(part, column, axis=1)[:, column]
                thresholds[:, segment] = smallest[:, None]
            else:
                index = part.size - budget
                thresholds[:, segment] = np.partition(part, index, axis=None)[index]
        return thresholds

    def kept(self, order: np.ndarray) -> float:
        """Returns the saliency kept after 1xN pruning, summed over the kernels."""
        sums_rk = self.block_sums(order)
        total = 0.0
        for segment, budget in zip(self.segments, self.budgets, strict=True):
            part = sums_rk[:, segment]
            axis, count = (1, part.shape[1]) if self.uniform else (None, part.size)
            ranked = np.partition(part, count - budget, axis=axis)
            total += float(ranked[..., count - budget :].sum(dtype=np.float64))
        return total


def kept_saliency(
    kernels: Sequence[np.ndarray],
    n: int,
    sparsity: float,
    *,
    order: np.ndarray | None = None,
    uniform: bool = False,
    saliency: str = "l1",
) -> float:
    """Returns the share of saliency that 1xN pruning keeps, in [0, 1].

    Args:
      kernels: weights ``[..., in, M]`` that share their output channels.
      n: output channels per block.
      sparsity: share of blocks that become zero, in [0, 1).
      order: the output channels' order ``[M]``; as they stand if None.
      uniform: the same number of blocks in every block row.
      saliency: the criterion.
    """
    problem = _Problem(kernels, n, sparsity, uniform, saliency)
    order = np.arange(problem.num_filters) if order is None else order
    return problem.kept(order) / float(problem.scores_mk.sum(dtype=np.float64))


def search(
    kernels: Sequence[np.ndarray],
    n: int,
    sparsity: float,
    method: str = "swaps",
    *,
    uniform: bool = False,
    saliency: str = "l1",
    seed: int = 0,
) -> np.ndarray:
    """Finds an order of output channels that keeps much saliency after 1xN pruning.

    Args:
      kernels: weights ``[..., in, M]`` that share their output channels; the saliency
        kept is summed over them.
      n: output channels per block.
      sparsity: share of blocks that become zero, in [0, 1).
      method: "l1" (the paper's sort, section 3.3), "assignment" or "swaps".
      uniform: search for masks with the same number of blocks in every block row.
      saliency: the criterion, see `saliency.contributions`.
      seed: orders the exchanges of "swaps".

    Returns:
      ``order [M]``: position i takes the filter ``order[i]``.

    Raises:
      ValueError: if the kernels do not share M, or an argument does not fit.
    """
    validate_method(method)
    blocks.validate_block_size(n)
    if len({kernel.shape[-1] for kernel in kernels}) != 1:
        raise ValueError(
            "Kernels that are rearranged together must have the same number of output "
            f"channels, found {[list(kernel.shape) for kernel in kernels]}."
        )
    problem = _Problem(kernels, n, sparsity, uniform, saliency)
    identity = np.arange(problem.num_filters)
    if n == 1 or problem.num_rows == 1:
        return identity
    norms = problem.scores_mk.sum(axis=1)
    order = _better(problem, identity, np.argsort(-norms, kind="stable"))
    if method == "l1":
        return order
    order = _assign(problem, order)
    return order if method == "assignment" else _swap(problem, order, seed)


def _better(problem: _Problem, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return second if problem.kept(second) > problem.kept(first) else first


def _assign(problem: _Problem, order: np.ndarray) -> np.ndarray:
    """Alternates masks and balanced assignments while what is kept grows."""
    kept = problem.kept(order)
    row_of_seat = np.arange(problem.num_filters) // problem.n
    for _ in range(_MAX_ASSIGNMENTS):
        sums_rk = problem.block_sums(order)
        mask_rk = (sums_rk >= problem.thresholds(sums_rk)).astype(np.float32)
        gain_mr = problem.scores_mk @ mask_rk.T
        filters, seats = linear_sum_assignment(gain_mr[:, row_of_seat], maximize=True)
        candidate = np.empty_like(order)
        candidate[seats] = filters
        candidate_kept = problem.kept(candidate)
        if candidate_kept <= kept * (1 + _RELATIVE_GAIN / 10):
            return _better(problem, order, candidate)
        order, kept = candidate, candidate_kept
    return order


def _swap(problem: _Problem, order: np.ndarray, seed: int) -> np.ndarray:
    """Exchanges pairs of filters between rows, sweep by sweep, while it pays.

    After a full sweep only filters whose row has changed are tried again; when none
    gains, a last full sweep must confirm it.
    """
    rng = np.random.default_rng(seed)
    everyone = np.arange(problem.num_filters)
    best, best_kept = order, problem.kept(order)
    candidates = everyone
    for _ in range(_MAX_SWEEPS):
        full = candidates.size == everyone.size
        order, candidates = _sweep(problem, order, rng.permutation(candidates), rng)
        kept = problem.kept(order)
        gained = kept > best_kept * (1 + _RELATIVE_GAIN)
        if kept > best_kept:
            best, best_kept = order, kept
        if not gained or not candidates.size:
            if full:
                break
            candidates = everyone
    return best


def _sweep(
    problem: _Problem,
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
    scores_mk = problem.scores_mk
    rows = problem.rows_of(order)
    sums_rk = problem.block_sums(order)
    thresholds_rk = problem.thresholds(sums_rk)
    surplus_rk = sums_rk - thresholds_rk
    value_r = np.maximum(surplus_rk, 0).sum(axis=1)
    # surplus of each filter's row without that filter
    rest_mk = surplus_rk[rows] - scores_mk
    tolerance = 1e-6 * float(value_r.mean())
    changed = np.zeros(problem.num_rows, bool)
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
