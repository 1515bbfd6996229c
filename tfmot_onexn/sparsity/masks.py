"""Which blocks stay: the 1xN mask of the paper, and the masks of its baselines.

A mask is boolean and has the kernel's shape. The counting rule is tfmot's everywhere:
``max(1, round((1 - sparsity) * count))`` are kept (the papers' public code rounds
down what is removed instead). Equal saliencies are kept in index order, so the count
is exact.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfmot_onexn.sparsity import blocks
from tfmot_onexn.sparsity import saliency as saliency_lib


@dataclasses.dataclass(frozen=True)
class Pattern:
    """Which weights are pruned together, and by which criterion.

    Attributes:
      granularity: "block" (1xN) or "weight" (single weights).
      n: output channels per block.
      uniform: keep the same number of blocks in every block row (SUBP's balance).
      saliency: the criterion, see `saliency.contributions`.

    Raises:
      ValueError: if a value is not one of these.
    """

    granularity: str = "block"
    n: int = 4
    uniform: bool = False
    saliency: str = "l1"

    def __post_init__(self) -> None:
        if self.granularity not in ("block", "weight"):
            raise ValueError(
                f"Unknown granularity {self.granularity!r}; choose block or weight."
            )
        blocks.validate_block_size(self.n)
        saliency_lib.validate(self.saliency)

    def mask(self, kernel: np.ndarray, sparsity: float, groups: int = 1) -> np.ndarray:
        """Returns the boolean mask of a kernel at a sparsity in [0, 1).

        ``groups`` are those of a grouped convolution, see `blocks`.
        """
        if self.granularity == "weight":
            return weight_mask(kernel, sparsity, saliency=self.saliency)
        return block_mask(
            kernel,
            self.n,
            sparsity,
            uniform=self.uniform,
            saliency=self.saliency,
            groups=groups,
        )

    def threshold(self, kernel: np.ndarray, mask: np.ndarray, groups: int = 1) -> float:
        """Returns the smallest saliency that a mask keeps."""
        scores = saliency_lib.contributions(kernel, self.saliency)
        if self.granularity == "block":
            scores = blocks.sum_blocks(scores, self.n, groups)
            mask = blocks.sum_blocks(mask.astype(np.int64), self.n, groups) > 0
        return float(scores[mask].min())


def validate_sparsity(sparsity: float) -> None:
    """Raises ValueError unless ``sparsity`` lies in [0, 1)."""
    if not 0.0 <= sparsity < 1.0:
        raise ValueError(
            f"The sparsity is the share that becomes zero and must lie in [0, 1), "
            f"found {sparsity!r}. Write 0.5 for 50 %."
        )


def kept_count(count: int, sparsity: float) -> int:
    """Returns how many of ``count`` stay, in float32 as tfmot computes it."""
    validate_sparsity(sparsity)
    kept = np.round(np.float32(count) * (np.float32(1) - np.float32(sparsity)))
    return max(1, int(kept))


def top_mask(scores: np.ndarray, count: int) -> np.ndarray:
    """Marks the ``count`` largest scores, of equal ones the first."""
    flat = scores.ravel()
    if count >= flat.size:
        return np.ones(scores.shape, bool)
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > threshold
    ties = np.flatnonzero(flat == threshold)
    mask[ties[: count - np.count_nonzero(mask)]] = True
    return mask.reshape(scores.shape)


def block_mask(
    kernel: np.ndarray,
    n: int,
    sparsity: float,
    *,
    uniform: bool = False,
    saliency: str = "l1",
    groups: int = 1,
) -> np.ndarray:
    """Returns the 1xN mask that keeps the most saliency (paper equation 4).

    Args:
      kernel: weights ``[..., in, out]``.
      n: output channels per block.
      sparsity: share of blocks that become zero, in [0, 1).
      uniform: keep the same number of blocks in every block row (SUBP's balance).
      saliency: the criterion, see `saliency.contributions`.
      groups: of a grouped convolution, see `blocks`.

    Returns:
      Boolean mask in the kernel's shape, constant inside a block.

    Raises:
      ValueError: if ``n``, ``sparsity``, the criterion or the shape does not fit.
    """
    scores = saliency_lib.of_blocks(kernel, n, saliency, groups)
    if uniform:
        count = kept_count(scores.shape[0], sparsity)
        order = np.argsort(-scores, axis=0, kind="stable")
        kept_blocks = np.zeros(scores.shape, bool)
        np.put_along_axis(kept_blocks, order[:count], True, axis=0)
    else:
        kept_blocks = top_mask(scores, kept_count(scores.size, sparsity))
    return blocks.expand_blocks(kept_blocks, kernel.shape, n, groups)


def weight_mask(
    kernel: np.ndarray, sparsity: float, *, saliency: str = "l1"
) -> np.ndarray:
    """Returns the mask of weight pruning: the largest single weights stay."""
    scores = saliency_lib.contributions(kernel, saliency)
    return top_mask(scores, kept_count(scores.size, sparsity))


def filter_mask(
    kernels: Sequence[np.ndarray], sparsity: float, *, saliency: str = "l1"
) -> np.ndarray:
    """Returns which output channels stay when tied kernels choose jointly.

    Args:
      kernels: weights ``[..., out]`` that share their output channels.
      sparsity: share of output channels to remove, in [0, 1).
      saliency: the criterion, summed over the kernels.

    Returns:
      Boolean mask ``[out]``.
    """
    scores = np.sum([saliency_lib.of_filters(k, saliency) for k in kernels], axis=0)
    return top_mask(scores, kept_count(scores.size, sparsity))
