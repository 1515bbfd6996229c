"""Prune and regrow: the uniform masks of SUBP (arXiv 2310.06218).

At each update every block row is pruned to the final sparsity, and as many of its
pruned blocks come back as the sparsity of the moment allows. Which ones is drawn by
lot, those of a higher saliency more often. So every block row keeps the same number of
blocks at every step, and a block that was pruned early has its chance to return.
"""

import dataclasses
import math

import numpy as np

from tfmot_onexn.sparsity import blocks, masks
from tfmot_onexn.sparsity import saliency as saliency_lib

CRITERIA = ("bpar", "l1", "l2")
NORMALIZATIONS = ("standard", "l2")


@dataclasses.dataclass(frozen=True)
class Regrowth:
    """How blocks are ranked and drawn.

    Attributes:
      n: output channels per block.
      criterion: "bpar" (see `saliency.bpar`), "l1" or "l2": the norm of a block.
      alpha: weight of the redundancy in "bpar".
      temperature: of the lot. A block comes back with a chance proportional to
        exp(score / temperature), as long as it has not been drawn. Near 0 the best
        come back, at infinity all have the same chance.
      normalization: of the scores of a row's pruned blocks before the lot: "standard"
        sets their mean to 0 and their deviation to 1, so that the temperature means
        the same in every layer. "l2" divides them by their norm, as the authors' code
        does: of many blocks all chances are then nearly the same at temperature 1.
      latent: score the weights behind the mask too. Otherwise a masked block scores as
        zero, and comes back by lot only (the paper's main variant).

    Raises:
      ValueError: if a value is not one of these.
    """

    n: int = 16
    criterion: str = "bpar"
    alpha: float = 1.0
    temperature: float = 1.0
    normalization: str = "standard"
    latent: bool = False

    def __post_init__(self) -> None:
        blocks.validate_block_size(self.n)
        for name, value, choices in (
            ("criterion", self.criterion, CRITERIA),
            ("normalization", self.normalization, NORMALIZATIONS),
        ):
            if value not in choices:
                raise ValueError(
                    f"Unknown {name} {value!r}; choose one of {list(choices)}."
                )
        if not self.temperature > 0:
            raise ValueError(
                f"The temperature must be above 0, found {self.temperature!r}. Use a "
                "small one, 0.01, to bring back the best blocks, math.inf to draw "
                "without regard to scores."
            )
        if not 0 <= self.alpha < math.inf:
            raise ValueError(
                f"alpha must be a finite number of at least 0, found {self.alpha!r}."
            )

    def scores(
        self, kernel: np.ndarray, kept: np.ndarray, groups: int = 1
    ) -> np.ndarray:
        """Returns each block's saliency ``[in, rows]``, of the kernel's dtype.

        Args:
          kernel: weights ``[..., in, out]``, those behind the mask too.
          kept: the mask so far, boolean in the kernel's shape.
          groups: of a grouped convolution, see `blocks`.
        """
        scored = kernel if self.latent else kernel * kept
        if self.criterion == "bpar":
            return saliency_lib.bpar(scored, self.n, self.alpha, groups, mask=kept)
        sums = saliency_lib.of_blocks(scored, self.n, self.criterion, groups)
        return np.sqrt(sums) if self.criterion == "l2" else sums

    def mask(
        self,
        kernel: np.ndarray,
        kept: np.ndarray,
        sparsity: float,
        final_sparsity: float,
        noise_ir: np.ndarray,
        groups: int = 1,
    ) -> tuple[np.ndarray, float]:
        """Returns the new mask, and the lowest score that it keeps.

        Args:
          kernel: weights ``[..., in, out]``, those behind the mask too.
          kept: the mask so far, boolean in the kernel's shape.
          sparsity: of the moment, in [0, 1).
          final_sparsity: at the end of the ramp, not below ``sparsity``.
          noise_ir: the lot: uniform in [0, 1), one for each block ``[in, rows]``.
          groups: of a grouped convolution, see `blocks`.

        Returns:
          Boolean mask in the kernel's shape, and a score.
        """
        scores_ir = self.scores(kernel, kept, groups)
        final = masks.kept_count(scores_ir.shape[0], final_sparsity)
        count = max(final, masks.kept_count(scores_ir.shape[0], sparsity))
        stays_ir = _rank(scores_ir) < final
        # Gumbel noise makes the order of a lot without replacement
        with np.errstate(divide="ignore"):
            gumbel_ir = -np.log(-np.log(noise_ir))
        lot_ir = self._chances(scores_ir, ~stays_ir) + gumbel_ir
        lot_ir[stays_ir] = np.inf
        kept_ir = _rank(lot_ir) < count
        threshold = float(scores_ir[kept_ir].min())
        return blocks.expand_blocks(kept_ir, kernel.shape, self.n, groups), threshold

    def _chances(self, scores_ir: np.ndarray, pruned_ir: np.ndarray) -> np.ndarray:
        """Returns the logarithm of each pruned block's chance, up to a constant."""
        values = np.where(pruned_ir, scores_ir, 0)
        count = np.maximum(pruned_ir.sum(axis=0), 1).astype(values.dtype)
        if self.normalization == "standard":
            values = np.where(pruned_ir, values - values.sum(axis=0) / count, 0)
            scale = np.sqrt(np.square(values).sum(axis=0) / count)
        else:
            scale = np.sqrt(np.square(values).sum(axis=0))
        scale = np.where(scale == 0, 1, scale) * values.dtype.type(self.temperature)
        return values / scale


def _rank(values_ir: np.ndarray) -> np.ndarray:
    """Returns each value's place in its column, 0 for the largest, ties in order."""
    order = np.argsort(-values_ir, axis=0, kind="stable")
    return np.argsort(order, axis=0)
