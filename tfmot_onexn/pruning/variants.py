"""The variants that are compared: dense, weight, filter and 1xN pruned."""

import dataclasses
from typing import Any

import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import shrink, surgery, tracing
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.sparsity import masks

VARIANTS = ("dense", "weight", "filter", "onexn")


@dataclasses.dataclass(frozen=True)
class Variant:
    """How to prune a network.

    Attributes:
      method: one of `VARIANTS`.
      sparsity: share of blocks, weights or filters that become zero; unused if dense.
      n: output channels per block, of "onexn".
      rearrange: "auto", "none" or a method of `sparsity.permutation`, of "onexn".
      uniform: keep the same number of blocks in every block row, of "onexn".
      prune_classifier: prune the last layer too.

    Raises:
      ValueError: if the method is unknown.
    """

    method: str
    sparsity: float = 0.5
    n: int = 4
    rearrange: str = "auto"
    uniform: bool = False
    prune_classifier: bool = False

    def __post_init__(self) -> None:
        if self.method not in VARIANTS:
            raise ValueError(
                f"Unknown variant {self.method!r}; choose from {list(VARIANTS)}."
            )

    def row(self) -> dict[str, Any]:
        """Returns the variant's fields of a benchmark row."""
        onexn = self.method == "onexn"
        return {
            "variant": self.method,
            "n": self.n if onexn else None,
            "sparsity": 0.0 if self.method == "dense" else self.sparsity,
            "rearrange": self.rearrange if onexn else None,
            "uniform": self.uniform if onexn else None,
            "allocation": None if self.method == "dense" else "per_layer",
        }

    @property
    def policy(self) -> tfmot.PruningPolicy:
        """Which layers are pruned: 1x1 convolutions."""
        return policy.PrunePointwise(classifier=self.prune_classifier)

    def prepare(self, model: tf_keras.Model) -> tf_keras.Model:
        """Returns the dense model that `prune` starts from, its filters rearranged.

        Raises:
          ValueError: if the model has pruning wrappers.
        """
        tracing.require_bare(model)
        if self.method != "onexn" or self.rearrange == "none":
            return model
        return prune.rearranged(
            model,
            masks.Pattern(n=self.n, uniform=self.uniform),
            self.sparsity,
            "swaps" if self.rearrange == "auto" else self.rearrange,
            pruning_policy=self.policy,
        )

    def prune(self, prepared: tf_keras.Model) -> tf_keras.Model:
        """Returns a wrapped copy of a prepared model, pruned at once; bare if dense."""
        when = schedule_lib.OneShot(self.sparsity)
        if self.method == "dense":
            return surgery.copy_model(prepared)
        if self.method == "weight":
            return prune.prune_weights(prepared, when, self.policy)
        if self.method == "filter":
            return prune.prune_filters(prepared, when, self.policy)
        return prune.prune_low_magnitude_1xN(
            prepared, self.n, when, self.policy, "none", self.uniform
        )

    def finish(self, pruned: tf_keras.Model) -> tf_keras.Model:
        """Returns the model to ship: without wrappers, removed filters gone."""
        stripped = prune.strip_pruning(pruned)
        if self.method == "filter":
            return shrink.shrink_filters(stripped)
        return stripped
