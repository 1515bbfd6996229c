"""What is settled before a model is wrapped: order, sparsity of each layer, weights."""

import dataclasses
from typing import Any, TypeAlias

import numpy as np
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import rearrange, surgery
from tfmot_onexn.pruning import allocation as allocation_lib
from tfmot_onexn.pruning import checks, policy
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.pruning.calibration import calibrate
from tfmot_onexn.pruning.calibration import settings as settings_lib
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.sparsity import allocation as budgets
from tfmot_onexn.sparsity import masks, second_order
from tfmot_onexn.sparsity.masks import Pattern

Layer: TypeAlias = tf_keras.layers.Layer


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """What there is to wrap.

    Attributes:
      model: the model, a copy of it in another order, or what else was given.
      weights: new weights of some of its layers, in `Layer.get_weights` order.
      schedules: of its layers where they are not the same for all.
    """

    model: Any
    weights: dict[Layer, list[np.ndarray]]
    schedules: dict[Layer, tfmot.PruningSchedule]


@dataclasses.dataclass(frozen=True, eq=False)
class Preparation:
    """How a network is prepared.

    Attributes:
      pattern: of the blocks.
      schedule: when, and how much, to prune.
      pruning_policy: which layers will be pruned.
      allocation: one of `sparsity.allocation.METHODS`.
      calibration: images to go by, if there are any.
    """

    pattern: Pattern
    schedule: tfmot.PruningSchedule
    pruning_policy: tfmot.PruningPolicy
    allocation: str = "per_layer"
    calibration: Calibration | np.ndarray | None = None

    @property
    def sparsity(self) -> float:
        """At the end of pruning."""
        return schedule_lib.final_sparsity(self.schedule)

    def prepare(self, to_prune, rearrange: str) -> Prepared:
        """Settles all of it.

        Args:
          to_prune: a layer, a list or a model; it is not changed.
          rearrange: "auto", "none" or one of `sparsity.permutation.METHODS`.

        Raises:
          ValueError: if something does not fit.
        """
        masks.validate_sparsity(self.sparsity)
        checks.validate(to_prune, self.pruning_policy)
        method = checks.rearrangement(rearrange, to_prune)
        if checks.is_single_layer(to_prune):
            checks.validate_width(to_prune, self.pattern.n)
        self._validate(to_prune)
        weights: dict[Layer, list[np.ndarray]] = {}
        if method != "none":
            weights = self.rearranged_weights(to_prune, method)
        if self.allocation == "per_layer" and self.calibration is None:
            return Prepared(to_prune, weights, {})
        model = surgery.copy_model(to_prune, weights) if weights else to_prune
        return self._settle(model)

    def _validate(self, to_prune) -> None:
        """Raises ValueError if there cannot be such an allocation or calibration."""
        budgets.validate_method(self.allocation)
        if self.allocation != "per_layer":
            checks.needs_graph(f"allocation={self.allocation!r}", to_prune)
            schedule_lib.with_final_sparsity(self.schedule, self.sparsity)
        if self.calibration is None:
            return
        checks.needs_graph("calibration", to_prune)
        settings_lib.of(self.calibration).chosen_images(to_prune)
        if not isinstance(self.schedule, schedule_lib.OneShot):
            raise ValueError(
                f"Calibration prunes at once, {type(self.schedule).__name__} step by "
                "step. Use OneShot, or leave out the calibration."
            )

    def _settle(self, model: tf_keras.Model) -> Prepared:
        """Settles how much of each layer goes, and the weights if there are images."""
        chosen = policy.chosen_layers(model, self.pruning_policy)
        _, errors = self._examine(model, chosen, for_order=False)
        sparsities = self._sparsities(model, chosen, errors)
        weights: dict[Layer, list[np.ndarray]] = {}
        if self.calibration is not None:
            weights = calibrate.calibrated_weights(
                model, self.pattern, sparsities, settings_lib.of(self.calibration)
            )
        schedules = {
            layer: schedule_lib.with_final_sparsity(self.schedule, sparsity)
            for layer, sparsity in sparsities.items()
        }
        return Prepared(model, weights, schedules)

    def rearranged_weights(
        self, model: tf_keras.Model, method: str
    ) -> dict[Layer, list[np.ndarray]]:
        """Returns the weights of layers that put the filters in another order.

        Args:
          model: a functional or built Sequential model.
          method: one of `sparsity.permutation.METHODS`.
        """
        chosen = policy.chosen_layers(model, self.pruning_policy)
        contributions, errors = self._examine(model, chosen, for_order=True)
        return rearrange.rearranged_weights(
            model,
            self.pattern.n,
            self.sparsity,
            method,
            prunable=set(chosen).__contains__,
            uniform=self.pattern.uniform,
            saliency=self.pattern.saliency,
            contributions=contributions,
            sparsities=self._sparsities(model, chosen, errors),
        )

    def _sparsities(
        self, model: tf_keras.Model, chosen: list[Layer], errors: Any
    ) -> dict[Layer, float]:
        return allocation_lib.sparsities(
            model, chosen, self.pattern, self.sparsity, self.allocation, errors
        )

    def _examine(
        self, model: tf_keras.Model, chosen: list[Layer], *, for_order: bool
    ) -> tuple[dict[Layer, np.ndarray], dict[Layer, np.ndarray]]:
        """Returns contributions to the saliency and errors, as the dense net tells."""
        contributions: dict[Layer, np.ndarray] = {}
        errors: dict[Layer, np.ndarray] = {}
        if self.calibration is None:
            return contributions, errors
        settings = settings_lib.of(self.calibration)
        for_order &= settings.second_order
        for_budget = self.allocation != "per_layer"
        if not (for_order or for_budget):
            return contributions, errors
        for layer, kernel_km, statistics in calibrate.dense_statistics(
            model, chosen, settings
        ):
            normalized_km = kernel_km / statistics.deviation()
            gram_kk = statistics.ridged_kk
            if for_order:
                found = second_order.contributions(normalized_km, gram_kk)
                contributions[layer] = found.reshape(layer.kernel.shape)
            if for_budget:
                errors[layer] = second_order.errors(
                    normalized_km, gram_kk, self.pattern.n
                )
        return contributions, errors
