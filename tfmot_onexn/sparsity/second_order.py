"""Second-order saliency: what a layer's output loses with a block, given its inputs.

For inputs ``x`` with the Gram matrix ``H = E[x x^T]`` a change ``d`` of a filter costs
``d^T H d`` of output error. If the other weights make up for the one that goes,
removing weight k costs ``w_k^2 / [H^-1]_kk`` (optimal brain surgeon, Hassibi and Stork
1993). A block of n filters at one input channel costs the sum over its filters, and
every block row has an inverse of its own, that of the input channels it still reads.
"""

import dataclasses

import numpy as np
import scipy.linalg.blas

from tfmot_onexn.sparsity import blocks, masks

# a block row is emptied in that many steps, several blocks at a time
_STEPS = 48
# how much more than the layer a single block row may lose
_SLACK = 0.5
_SCRATCH_VALUES = 2_000_000
# matrices are made smaller when fewer than this share of their channels is left
_WORTH_KEEPING = 0.75


def contributions(kernel_km: np.ndarray, gram_kk: np.ndarray) -> np.ndarray:
    """Returns ``w^2 / diag(H^-1)`` for each weight ``[K, M]``.

    They add up over a block as those of `saliency` do, so `permutation` can search with
    them. What the loss of one block does to the cost of another is left out.

    Args:
      kernel_km: weights ``[K, M]``.
      gram_kk: positive definite ``[K, K]``.
    """
    return kernel_km**2 / np.diag(_inverse(gram_kk))[:, None]


@dataclasses.dataclass(frozen=True)
class Elimination:
    """In which order the blocks of each row go, and what each costs.

    Attributes:
      order_rt: input channels ``[rows, T]`` as they go.
      costs_rt: what each adds to the error ``[rows, T]``, never falling along a row.
      channels: K, at least T.
    """

    order_rt: np.ndarray
    costs_rt: np.ndarray
    channels: int

    def kept_blocks(self, sparsity: float, *, uniform: bool = False) -> np.ndarray:
        """Returns which blocks ``[K, rows]`` stay.

        Args:
          sparsity: share of blocks that go, in [0, 1), at most that of `eliminate`.
          uniform: the same number in every block row.
        """
        rows, steps = self.order_rt.shape
        kept = np.ones((self.channels, rows), bool)
        gone = np.zeros((rows, steps), bool)
        if uniform:
            gone[:, : self.channels - masks.kept_count(self.channels, sparsity)] = True
        else:
            count = kept.size - masks.kept_count(kept.size, sparsity)
            # stable: of equal costs in a row the first goes first
            cheapest = np.argsort(self.costs_rt, axis=None, kind="stable")[:count]
            gone.ravel()[cheapest] = True
        row, step = np.nonzero(gone)
        kept[self.order_rt[row, step], row] = False
        return kept


def eliminate(
    kernel_km: np.ndarray, gram_kk: np.ndarray, n: int, sparsity: float
) -> Elimination:
    """Removes blocks greedily, the cheapest of each block row first.

    After each step the weights that stay are the least-squares fit to what the kernel
    computed, and the costs are renewed. Rows are emptied further than ``sparsity``, so
    that a layer can take more from one than from another.

    Args:
      kernel_km: weights ``[K, M]``.
      gram_kk: ``E[x x^T]`` of the inputs, positive definite ``[K, K]``.
      n: output channels per block.
      sparsity: share of blocks that will go, in [0, 1).
    """
    channels, filters = kernel_km.shape
    starts = blocks.block_starts(filters, n)
    rows, width = starts.size, min(n, filters)
    steps = min(channels, int(np.ceil((sparsity + _SLACK) * channels)))
    # the last row may be narrower: filters of zeros cost nothing
    padded = np.zeros((channels, rows * width), np.float32)
    padded[:, :filters] = kernel_km
    weights_rnk = padded.T.reshape(rows, width, channels)
    inverse_kk = _inverse(gram_kk).astype(np.float32)
    order = np.empty((rows, steps), np.int64)
    costs = np.empty((rows, steps), np.float32)
    at_once = max(1, _SCRATCH_VALUES // channels**2)
    for first in range(0, rows, at_once):
        part = slice(first, first + at_once)
        order[part], costs[part] = _eliminate_rows(
            weights_rnk[part].copy(), inverse_kk, steps
        )
    return Elimination(order, np.maximum.accumulate(costs, axis=1), channels)


def errors(kernel_km: np.ndarray, gram_kk: np.ndarray, n: int) -> np.ndarray:
    """Returns what the loss of each block adds to a layer's error, the least first.

    Args:
      kernel_km: weights ``[K, M]`` whose outputs each have a variance of 1.
      gram_kk: ``E[x x^T]`` of the inputs, positive definite ``[K, K]``.
      n: output channels per block.

    Returns:
      ``[K * rows]``, as shares of the variance of all outputs.
    """
    costs_rt = eliminate(kernel_km, gram_kk, n, 1 - _SLACK).costs_rt
    return np.sort(costs_rt, axis=None).astype(np.float64) / kernel_km.shape[1]


def _eliminate_rows(
    weights_rnk: np.ndarray, inverse_kk: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the order ``[rows, steps]`` in which blocks go, and their costs."""
    rows, _, channels = weights_rnk.shape
    inverse_rkk = np.repeat(inverse_kk[None], rows, axis=0)
    # K is of the channels that the matrices still have
    channels_rk = np.tile(np.arange(channels), (rows, 1))
    alive_rk = np.ones((rows, channels), bool)
    order = np.empty((rows, steps), np.int64)
    costs = np.empty((rows, steps), np.float32)
    each_row = np.arange(rows)[:, None]
    at_once = max(1, channels // _STEPS)
    for done in range(0, steps, at_once):
        if channels - done < _WORTH_KEEPING * alive_rk.shape[1]:
            kept_rk = np.nonzero(alive_rk)[1].reshape(rows, -1)
            channels_rk = np.take_along_axis(channels_rk, kept_rk, axis=1)
            weights_rnk = np.take_along_axis(weights_rnk, kept_rk[:, None], axis=2)
            pairs = zip(inverse_rkk, kept_rk, strict=True)
            inverse_rkk = np.stack([kk[kept].take(kept, axis=1) for kk, kept in pairs])
            alive_rk = np.ones(kept_rk.shape, bool)
        now = slice(done, min(done + at_once, steps))
        count = now.stop - now.start
        diagonal_rk = np.einsum("rkk->rk", inverse_rkk)
        single_rk = (weights_rnk**2).sum(axis=1) / np.maximum(diagonal_rk, 1e-20)
        single_rk[~alive_rk] = np.inf
        ranked = np.argpartition(single_rk, count - 1, axis=1)[:, :count]
        single = np.take_along_axis(single_rk, ranked, axis=1)
        inner = np.argsort(single, axis=1, kind="stable")
        going = np.take_along_axis(ranked, inner, axis=1)
        single = np.take_along_axis(single, inner, axis=1)
        # [rows, count, K] and [rows, count, count] of the inverses
        strips = inverse_rkk[each_row, going]
        cores = np.take_along_axis(strips, going[:, None, :], axis=2)
        gone_rnc = np.take_along_axis(weights_rnk, going[:, None, :], axis=2)
        solved = np.linalg.solve(cores, strips)
        together = np.einsum(
            "rnc,rcn->r", gone_rnc, np.linalg.solve(cores, gone_rnc.swapaxes(1, 2))
        )
        order[:, now] = np.take_along_axis(channels_rk, going, axis=1)
        # blocks that go together cost more than each alone
        share = together / np.maximum(single.sum(axis=1), 1e-30)
        costs[:, now] = single * share[:, None]
        weights_rnk -= gone_rnc @ solved
        _subtract_products(inverse_rkk, strips, solved)
        alive_rk[each_row, going] = False
        weights_rnk *= alive_rk[:, None, :]
    return order, costs


def _subtract_products(
    symmetric_rkk: np.ndarray, left_rck: np.ndarray, right_rck: np.ndarray
) -> None:
    """Takes each ``left^T right``, symmetric too, from a matrix in its place."""
    for matrix_kk, left_ck, right_ck in zip(
        symmetric_rkk, left_rck, right_rck, strict=True
    ):
        # the transposes are in the order that BLAS wants
        scipy.linalg.blas.sgemm(
            *(-1.0, right_ck.T, left_ck.T, 1.0, matrix_kk.T),
            trans_b=True,
            overwrite_c=True,
        )


def _inverse(gram_kk: np.ndarray) -> np.ndarray:
    return np.linalg.inv(gram_kk.astype(np.float64))
