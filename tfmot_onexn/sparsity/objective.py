"""What an order of output channels keeps after 1xN pruning.

Kernels that share their output channels stand side by side in one matrix ``[M, K]`` of
contributions, each kernel with a budget of its own.
"""

from collections.abc import Sequence

import numpy as np

from tfmot_onexn.sparsity import blocks, masks
from tfmot_onexn.sparsity import saliency as saliency_lib


class Objective:
    """Filters to divide among block rows, and what a division keeps.

    Attributes:
      scores_mk: contributions ``[M, K]``, float32, summed over the window.
      segments: the columns of each kernel.
      row_of_seat: the block row ``[M]`` of each position in an order.
      budgets: blocks that stay, of each kernel, or of each row of it if uniform.
    """

    def __init__(
        self,
        kernels: Sequence[np.ndarray],
        n: int,
        sparsity: float | Sequence[float],
        uniform: bool,
        saliency: str,
        contributions: Sequence[np.ndarray] | None,
    ):
        blocks.validate_block_size(n)
        _validate_kernels(kernels)
        self.n = n
        self.uniform = uniform
        if contributions is None:
            contributions = [saliency_lib.contributions(k, saliency) for k in kernels]
        else:
            _validate_contributions(contributions, kernels)
        per_kernel = [blocks.sum_window(values).T for values in contributions]
        self.scores_mk = np.concatenate(per_kernel, axis=1).astype(np.float32)
        self.num_filters = self.scores_mk.shape[0]
        self.num_rows = blocks.num_block_rows(self.num_filters, n)
        self.row_of_seat = np.arange(self.num_filters) // n
        ends = np.cumsum([matrix.shape[1] for matrix in per_kernel])
        self.segments = [
            slice(end - matrix.shape[1], end)
            for end, matrix in zip(ends, per_kernel, strict=True)
        ]
        sparsities = _per_kernel(sparsity, len(kernels))
        self.budgets = [
            masks.kept_count(matrix.shape[1] * (1 if uniform else self.num_rows), share)
            for matrix, share in zip(per_kernel, sparsities, strict=True)
        ]

    def block_sums(self, order: np.ndarray) -> np.ndarray:
        """Returns the saliency ``[rows, K]`` of each block under an order."""
        starts = np.arange(0, self.num_filters, self.n)
        return np.add.reduceat(self.scores_mk[order], starts, axis=0)

    def thresholds(self, sums_rk: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns the smallest kept saliency, and all that is kept.

        Args:
          sums_rk: the saliency of each block ``[rows, K]``.

        Returns:
          The threshold that each block is held against ``[rows, K]``, and the saliency
          kept after 1xN pruning, summed over the kernels.
        """
        thresholds = np.empty_like(sums_rk)
        total = 0.0
        for segment, budget in zip(self.segments, self.budgets, strict=True):
            part = sums_rk[:, segment]
            if not self.uniform:
                part = part.reshape(1, -1)
            first = part.shape[1] - budget
            kept = np.partition(part, first, axis=1)[:, first:]
            thresholds[:, segment] = kept[:, :1]
            total += float(kept.sum(dtype=np.float64))
        return thresholds, total

    def kept(self, order: np.ndarray) -> float:
        """Returns the saliency kept after 1xN pruning under an order."""
        return self.thresholds(self.block_sums(order))[1]

    def better(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Returns the order that keeps more, of equal ones the first."""
        return second if self.kept(second) > self.kept(first) else first


def _validate_kernels(kernels: Sequence[np.ndarray]) -> None:
    if len({kernel.shape[-1] for kernel in kernels}) != 1:
        raise ValueError(
            "Kernels that are rearranged together must have the same number of output "
            f"channels, found {[list(kernel.shape) for kernel in kernels]}."
        )


def _validate_contributions(
    contributions: Sequence[np.ndarray], kernels: Sequence[np.ndarray]
) -> None:
    found = [np.shape(values) for values in contributions]
    expected = [kernel.shape for kernel in kernels]
    if found != expected:
        raise ValueError(
            "Contributions must have the kernels' shapes, one array for each: found "
            f"{[list(shape) for shape in found]}, expected "
            f"{[list(shape) for shape in expected]}."
        )
    if not all(np.isfinite(c).all() and (c >= 0).all() for c in contributions):
        raise ValueError(
            "Contributions to a saliency must be finite numbers of at least 0; found "
            "negative values, infinite ones or NaN. Pass absolute or squared values."
        )


def _per_kernel(sparsity: float | Sequence[float], count: int) -> list[float]:
    """Returns one sparsity for each kernel."""
    sparsities = np.asarray(sparsity, float)
    if sparsities.ndim == 0:
        return [float(sparsities)] * count
    if sparsities.shape != (count,):
        raise ValueError(
            f"Found {sparsities.size} sparsities for {count} kernels; pass one number, "
            "or one for each kernel."
        )
    return sparsities.tolist()
