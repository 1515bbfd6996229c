"""How important a block, a weight or a filter is.

Each criterion but `bpar` is a sum of contributions, one per weight, so that the
saliency of a block is the sum over its weights and moving filters between block rows
(see `permutation`) moves their contributions.
"""

from collections.abc import Callable

import numpy as np

from tfmot_onexn.sparsity import blocks

CONTRIBUTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "l1": np.abs,
    "l2": np.square,
}


def validate(saliency: str) -> None:
    """Raises ValueError unless ``saliency`` names a criterion."""
    if saliency not in CONTRIBUTIONS:
        raise ValueError(
            f"Unknown saliency {saliency!r}; choose one of {sorted(CONTRIBUTIONS)}."
        )


def contributions(kernel: np.ndarray, saliency: str = "l1") -> np.ndarray:
    """Returns each weight's share of its block's saliency, in the kernel's shape.

    Args:
      kernel: weights of any shape.
      saliency: "l1" (paper equation 4) or "l2" (the squared norm, which ranks alike).

    Raises:
      ValueError: if the criterion is unknown.
    """
    validate(saliency)
    return CONTRIBUTIONS[saliency](kernel)


def of_blocks(
    kernel: np.ndarray, n: int, saliency: str = "l1", groups: int = 1
) -> np.ndarray:
    """Returns each block's saliency ``[in, rows]`` for a kernel ``[..., in, out]``."""
    return blocks.sum_blocks(contributions(kernel, saliency), n, groups)


def of_filters(kernel: np.ndarray, saliency: str = "l1") -> np.ndarray:
    """Returns each output channel's saliency ``[out]`` for a kernel ``[..., out]``."""
    values = contributions(kernel, saliency)
    return values.reshape(-1, values.shape[-1]).sum(axis=0)


def bpar(
    kernel: np.ndarray,
    n: int,
    alpha: float = 1.0,
    groups: int = 1,
    *,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Returns each block's magnitude less its redundancy: SUBP's criterion.

    ``a - alpha * c``, both as shares of their block row. a is the l1 norm. c is how far
    a block points the way of the others: its summed absolute cosines with all blocks
    of its row, itself included (block pruning by angular redundancy). Blocks that a
    mask removes, or that are zero, count as wholly redundant: their c is 1.

    Args:
      kernel: weights ``[..., in, out]``.
      n: output channels per block.
      alpha: weight of the redundancy.
      groups: of a grouped convolution, see `blocks`.
      mask: boolean in the kernel's shape; None keeps all.

    Returns:
      ``[in, rows]``.
    """
    norms_ri = np.abs(blocks.block_vectors(kernel, n, groups)).sum(axis=2)
    kept = kernel if mask is None else kernel * mask
    redundancy_ri = np.stack(
        [_summed_cosines(row) for row in blocks.block_vectors(kept, n, groups)]
    )
    shares = _share(redundancy_ri)
    shares[shares == 0] = 1
    return (_share(norms_ri) - kernel.dtype.type(alpha) * shares).T


def _summed_cosines(vectors: np.ndarray) -> np.ndarray:
    """Sums each vector's absolute cosines with all; ``[count, length]`` to ``[count]``.

    That of a zero vector is 0.
    """
    lengths = np.sqrt(np.einsum("il,il->i", vectors, vectors))
    alive = np.flatnonzero(lengths)
    units = vectors[alive] / lengths[alive, None]
    sums = np.zeros_like(lengths)
    sums[alive] = np.abs(units @ units.T).sum(axis=1)
    return sums


def _share(values_ri: np.ndarray) -> np.ndarray:
    """Divides each row by its sum; a row of zeros stays."""
    totals = values_ri.sum(axis=1, keepdims=True)
    return values_ri / np.where(totals == 0, 1, totals)
