"""How important a block, a weight or a filter is.

Each criterion is a sum of contributions, one per weight, so that the saliency of a
block is the sum over its weights and moving filters between block rows (see
`permutation`) moves their contributions.
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
