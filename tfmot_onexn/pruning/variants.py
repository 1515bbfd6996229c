"""The variants that are compared: dense, weight, filter, 1xN and SUBP pruned."""

import dataclasses
from typing import Any

import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import shrink, surgery, tracing
from tfmot_onexn.pruning import policy, prune, soft_uniform
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.sparsity import allocation, masks

VARIANTS = ("dense", "weight", "filter", "onexn", "subp")


@dataclasses.dataclass(frozen=True)
class Soft:
    """How the variant "subp" trains from scratch, see `prune_soft_uniform_1xN`.

    Attributes:
      begin: of the ramp, as a share of the training.
      end: of the ramp; the masks stand from then on.
      interval: epochs between two renewals of the masks.
      ramp: its shape, see `schedule.SoftUniformRamp`.
      criterion: what ranks blocks.
      alpha: weight of the redundancy.
      temperature: of the lot.
      decay: of the weights behind the masks.
      seed: of the lot.
    """

    begin: float = 0.05
    end: float = 0.7
    interval: float = 1.0
    ramp: str = "cubic"
    criterion: str = "bpar"
    alpha: float = 1.0
    temperature: float = 1.0
    decay: float = 2e-4
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Variant:
    """How to prune a network.

    Attributes:
      method: one of `VARIANTS`.
      sparsity: share of blocks, weights or filters that become zero; unused if dense.
      n: output channels per block, of "onexn" and "subp".
      rearrange: "auto", "none" or a method of `sparsity.permutation`, of "onexn".
      uniform: keep the same number of blocks in every block row, of "onexn".
      prune_classifier: prune the last layer too.
      allocation: how the sparsity is divided among layers, see
        `prune_low_magnitude_1xN`, of "onexn".
      soft: how "subp" trains.

    Raises:
      ValueError: if the method is unknown.
    """

    method: str
    sparsity: float = 0.5
    n: int = 4
    rearrange: str = "auto"
    uniform: bool = False
    prune_classifier: bool = False
    allocation: str = "per_layer"
    soft: Soft = Soft()

    def __post_init__(self) -> None:
        if self.method not in VARIANTS:
            raise ValueError(
                f"Unknown variant {self.method!r}; choose from {list(VARIANTS)}."
            )
        allocation.validate_method(self.allocation)

    def row(self) -> dict[str, Any]:
        """Returns the variant's fields of a benchmark row."""
        onexn, subp = self.method == "onexn", self.method == "subp"
        return {
            "variant": self.method,
            "n": self.n if onexn or subp else None,
            "sparsity": 0.0 if self.method == "dense" else self.sparsity,
            "rearrange": self.rearrange if onexn else None,
            "uniform": True if subp else self.uniform if onexn else None,
            "allocation": self._allocation(),
        }

    def _allocation(self) -> str | None:
        if self.method == "dense":
            return None
        return self.allocation if self.method == "onexn" else "per_layer"

    @property
    def policy(self) -> tfmot.PruningPolicy:
        """Which layers are pruned: 1x1 convolutions."""
        return policy.PrunePointwise(classifier=self.prune_classifier)

    def prepare(
        self, model: tf_keras.Model, calibration: Calibration | None = None
    ) -> tf_keras.Model:
        """Returns the dense model that `prune` starts from, its filters rearranged.

        Args:
          model: is not changed.
          calibration: images to go by, of "onexn".

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
            allocation=self.allocation,
            calibration=calibration,
        )

    def schedule(self, epochs: int, steps_per_epoch: int) -> tfmot.PruningSchedule:
        """Returns when a training of this length prunes: at once, or on SUBP's ramp."""
        if self.method != "subp":
            return schedule_lib.OneShot(self.sparsity)
        return schedule_lib.SoftUniformRamp.from_epochs(
            self.sparsity,
            self.soft.begin * epochs,
            self.soft.end * epochs,
            steps_per_epoch,
            interval=self.soft.interval,
            ramp=self.soft.ramp,
        )

    def prune(
        self,
        prepared: tf_keras.Model,
        pruning_schedule: tfmot.PruningSchedule | None = None,
        calibration: Calibration | None = None,
    ) -> tf_keras.Model:
        """Returns a wrapped copy of a prepared model; bare if dense.

        Args:
          prepared: what `prepare` returns; it is not changed.
          pruning_schedule: None prunes at once, "subp" too: to the best blocks of each
            row, for a look at size and speed without training.
          calibration: images to go by, of "onexn".
        """
        when = pruning_schedule or schedule_lib.OneShot(self.sparsity)
        if self.method == "dense":
            return surgery.copy_model(prepared)
        if self.method == "weight":
            return prune.prune_weights(prepared, when, self.policy)
        if self.method == "filter":
            return prune.prune_filters(prepared, when, self.policy)
        if self.method == "subp":
            return self._prune_softly(prepared, when)
        return prune.prune_low_magnitude_1xN(
            prepared,
            self.n,
            when,
            self.policy,
            "none",
            self.uniform,
            allocation=self.allocation,
            calibration=calibration,
        )

    def _prune_softly(self, prepared, when) -> tf_keras.Model:
        return soft_uniform.prune_soft_uniform_1xN(
            prepared,
            self.n,
            when,
            self.policy,
            criterion=self.soft.criterion,
            alpha=self.soft.alpha,
            temperature=self.soft.temperature,
            decay=self.soft.decay,
            seed=self.soft.seed,
        )

    def finish(self, pruned: tf_keras.Model) -> tf_keras.Model:
        """Returns the model to ship: without wrappers, removed filters gone."""
        stripped = prune.strip_pruning(pruned)
        if self.method == "filter":
            return shrink.shrink_filters(stripped)
        return stripped
