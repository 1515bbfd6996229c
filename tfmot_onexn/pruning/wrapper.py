"""The wrapper that prunes a layer's kernels in 1xN blocks, or by single weights."""

import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras.src.mixed_precision import autocast_variable

from tfmot_onexn.pruning import prunable
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.sparsity import tf_masks
from tfmot_onexn.sparsity.masks import Pattern

_NO_CALLBACK = (
    "A model that is pruned on a schedule needs the UpdatePruningStep callback: "
    "model.fit(..., callbacks=[tfmot_onexn.UpdatePruningStep()])"
)


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class PruneLowMagnitude1xN(MaskingWrapper):
    """Prunes the 1xN blocks (or single weights) of a layer with the least saliency.

    Attributes:
      pattern: what is pruned together, a `sparsity.masks.Pattern`.
    """

    name_prefix = "prune_low_magnitude_1xn"

    def __init__(
        self,
        layer,
        pruning_schedule=None,
        granularity: str = "block",
        n: int = 4,
        uniform: bool = False,
        saliency: str = "l1",
        **kwargs,
    ):
        """Wraps a layer.

        Args:
          layer: one that `prunable.is_prunable` at this granularity.
          pruning_schedule: `OneShot(0.5)` if None.
          granularity: "block" or "weight".
          n: output channels per block.
          uniform: keep the same number of blocks in every block row.
          saliency: "l1" or "l2".
          **kwargs: for the Keras layer.

        Raises:
          ValueError: if the layer has nothing to prune or a setting does not fit.
        """
        if not isinstance(layer, tf_keras.layers.Layer) or not prunable.is_prunable(
            layer, granularity
        ):
            raise ValueError(
                f"{getattr(layer, 'name', layer)!r} ({type(layer).__name__}) has no "
                "kernel that can be pruned. Pass a convolution or Dense layer, or give "
                "your layer tfmot's `get_prunable_weights()`."
            )
        self.pattern = Pattern(granularity, n, uniform, saliency)
        super().__init__(layer, pruning_schedule, **kwargs)

    def masked_weights(self) -> list[Any]:
        return prunable.prunable_weights(self.layer, self.pattern.granularity)

    def build(self, input_shape):
        super().build(input_shape)
        if self.pattern.granularity == "block":
            for weight, _, _ in self.pruning_vars:
                if len(weight.shape) < 2:
                    raise ValueError(
                        f"Layer {self.layer.name!r} gives the weight {weight.name!r} "
                        f"of shape {list(weight.shape)} for pruning; 1xN blocks need "
                        "the axes [in, out]. Prune it with prune_weights, or leave it "
                        "out of get_prunable_weights()."
                    )
        if self.one_shot:
            with tf.init_scope():
                self.update_masks(schedule_lib.final_sparsity(self.pruning_schedule))

    def update_masks(self, sparsity: float) -> None:
        """Renews every mask; what was pruned counts as 0.

        Args:
          sparsity: share of blocks (or weights) that become zero, in [0, 1).
        """
        groups = prunable.groups(self.layer)
        for index, (weight, mask, _) in enumerate(self.pruning_vars):
            kernel = weight.read_value().numpy() * mask.read_value().numpy()
            renewed = self.pattern.mask(kernel, sparsity, groups)
            threshold = self.pattern.threshold(kernel, renewed, groups)
            self.set_mask(index, renewed, threshold)

    def set_weights(self, weights) -> None:
        """Sets the layer's weights, and prunes them if the schedule is one-shot."""
        super().set_weights(weights)
        if self.one_shot:
            for _, mask, _ in self.pruning_vars:
                mask.assign(tf.ones_like(mask))
            self.update_masks(schedule_lib.final_sparsity(self.pruning_schedule))

    def _update_in_graph(self):
        step = self.pruning_step.assign_add(1)
        groups = prunable.groups(self.layer)
        update = _update_function(self.pattern, self.pruning_schedule, groups)
        # mixed precision would round the weights and tie those of one rounded value
        with autocast_variable.enable_auto_cast_variables(None):
            for weight, mask, threshold in self.pruning_vars:
                shape = [-1, *([1, 1, *weight.shape][-2:])]
                kernel = tf.stop_gradient(weight.read_value()) * mask.read_value()
                new_mask, new_threshold = update(
                    tf.reshape(tf.cast(kernel, tf.float32), shape),
                    tf.reshape(tf.cast(mask.read_value(), tf.float32), shape),
                    tf.cast(threshold.read_value(), tf.float32),
                    step,
                )
                mask.assign(tf.cast(tf.reshape(new_mask, mask.shape), mask.dtype))
                threshold.assign(tf.cast(new_threshold, threshold.dtype))
        return tf.no_op()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "granularity": self.pattern.granularity,
            "n": self.pattern.n,
            "uniform": self.pattern.uniform,
            "saliency": self.pattern.saliency,
        }


_update_functions: dict[tuple[Pattern, str, int], Callable] = {}


def _update_function(
    pattern: Pattern, schedule: tfmot.PruningSchedule, groups: int
) -> Callable:
    """Returns one traced function for all layers that share its arguments.

    It maps ``(kernel [window, in, out], mask [window, in, out], threshold [],
    step [])`` to the mask and threshold that hold at this step.
    """
    settings = json.dumps(schedule.get_config(), sort_keys=True, default=str)
    key = (pattern, settings, groups)
    if key not in _update_functions:
        renewed = tf_masks.mask_function(pattern, groups)
        kernel = tf.TensorSpec([None, None, None], tf.float32)

        @tf.function(
            input_signature=[
                kernel,
                kernel,
                tf.TensorSpec([], tf.float32),
                tf.TensorSpec([], tf.int64),
            ],
            autograph=False,
        )
        def update(kernel_wio, mask_wio, threshold, step):
            started = tf.debugging.Assert(step > 0, [_NO_CALLBACK])
            with tf.control_dependencies([started]):
                prune, sparsity = schedule(step)
            return tf.cond(
                prune,
                lambda: renewed(kernel_wio, sparsity),
                lambda: (mask_wio, threshold),
            )

        _update_functions[key] = update
    return _update_functions[key]
