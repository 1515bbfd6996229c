"""The wrappers that prune a layer's kernels in 1xN blocks, or by single weights."""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np
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


class KernelWrapper(MaskingWrapper):
    """Masks the kernels of a layer by a rule that looks at no other layer."""

    def __init__(self, layer, pruning_schedule=None, **kwargs):
        if not isinstance(layer, tf_keras.layers.Layer) or not prunable.is_prunable(
            layer, "block" if self.block_size else "weight"
        ):
            raise ValueError(
                f"{getattr(layer, 'name', layer)!r} ({type(layer).__name__}) has no "
                "kernel that can be pruned. Pass a convolution or Dense layer, or give "
                "your layer tfmot's `get_prunable_weights()`."
            )
        super().__init__(layer, pruning_schedule, **kwargs)

    @property
    def block_size(self) -> int | None:
        """Output channels per block, or None for single weights."""
        raise NotImplementedError

    def masked_weights(self) -> list[Any]:
        return prunable.prunable_weights(
            self.layer, "block" if self.block_size else "weight"
        )

    def build(self, input_shape):
        super().build(input_shape)
        if self.block_size:
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
        """Renews every mask from the weights as they are.

        Args:
          sparsity: share of blocks (or weights) that become zero, in [0, 1).
        """
        for index, (weight, mask, _) in enumerate(self.pruning_vars):
            kernel, kept = weight.read_value().numpy(), mask.read_value().numpy() > 0
            self.set_mask(index, *self._renewed(index, kernel, kept, sparsity))

    def _renewed(
        self, index: int, kernel: np.ndarray, kept: np.ndarray, sparsity: float
    ) -> tuple[np.ndarray, float]:
        """Returns the new mask and the smallest saliency that it keeps.

        Args:
          index: of the weight in `pruning_vars`.
          kernel: its value, ``[..., in, out]``.
          kept: its mask so far, boolean.
          sparsity: as for `update_masks`.
        """
        raise NotImplementedError

    def set_weights(self, weights) -> None:
        """Sets the layer's weights, and prunes them if the schedule is one-shot."""
        super().set_weights(weights)
        if self.one_shot:
            for _, mask, _ in self.pruning_vars:
                mask.assign(tf.ones_like(mask))
            self.update_masks(schedule_lib.final_sparsity(self.pruning_schedule))

    def _update_in_graph(self):
        step = self.pruning_step.assign_add(1)
        update = _update_function(self._renewal(), self.pruning_schedule)
        # mixed precision would round the weights and tie those of one rounded value
        with autocast_variable.enable_auto_cast_variables(None):
            for index, (weight, mask, threshold) in enumerate(self.pruning_vars):
                shape = [-1, *([1, 1, *weight.shape][-2:])]
                kernel = tf.stop_gradient(weight.read_value())
                new_mask, new_threshold = update(
                    tf.reshape(tf.cast(kernel, tf.float32), shape),
                    tf.reshape(tf.cast(mask.read_value(), tf.float32), shape),
                    tf.cast(threshold.read_value(), tf.float32),
                    tf.constant(self._noise_key(index), tf.int64),
                    step,
                )
                mask.assign(tf.cast(tf.reshape(new_mask, mask.shape), mask.dtype))
                threshold.assign(tf.cast(new_threshold, threshold.dtype))
        return tf.no_op()

    def _renewal(self) -> "_Renewal":
        """Returns `_renewed` in TensorFlow ops, the same object for equal settings."""
        raise NotImplementedError

    def _noise_key(self, index: int) -> int:
        """Returns what makes the noise of a weight's masks its own."""
        return 0


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class PruneLowMagnitude1xN(KernelWrapper):
    """Prunes the 1xN blocks (or single weights) of a layer with the least saliency.

    What has been pruned counts as 0 and does not come back.

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
        self.pattern = Pattern(granularity, n, uniform, saliency)
        super().__init__(layer, pruning_schedule, **kwargs)

    @property
    def block_size(self) -> int | None:
        return self.pattern.n if self.pattern.granularity == "block" else None

    def _renewed(self, index, kernel, kept, sparsity):
        groups = prunable.groups(self.layer)
        masked = kernel * kept
        renewed = self.pattern.mask(masked, sparsity, groups)
        return renewed, self.pattern.threshold(masked, renewed, groups)

    def _renewal(self):
        return _lowest_magnitude(self.pattern, prunable.groups(self.layer))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "granularity": self.pattern.granularity,
            "n": self.pattern.n,
            "uniform": self.pattern.uniform,
            "saliency": self.pattern.saliency,
        }


# (kernel [window, in, out], mask [window, in, out], sparsity [], noise key [], step [])
# -> (mask, threshold)
_Renewal = Callable[..., tuple[tf.Tensor, tf.Tensor]]


@functools.cache
def _lowest_magnitude(pattern: Pattern, groups: int) -> _Renewal:
    masked = tf_masks.mask_function(pattern, groups)
    return lambda kernel_wio, mask_wio, sparsity, key, step: masked(
        kernel_wio * mask_wio, sparsity
    )


_update_functions: dict[tuple[_Renewal, str], Callable] = {}


def _update_function(renewal: _Renewal, schedule: tfmot.PruningSchedule) -> Callable:
    """Returns one traced function for all layers that share its arguments.

    It maps ``(kernel [window, in, out], mask [window, in, out], threshold [],
    noise key [], step [])`` to the mask and threshold that hold at this step.
    """
    settings = json.dumps(schedule.get_config(), sort_keys=True, default=str)
    if (renewal, settings) not in _update_functions:
        _update_functions[renewal, settings] = _traced_update(renewal, schedule)
    return _update_functions[renewal, settings]


def _traced_update(renewal: _Renewal, schedule: tfmot.PruningSchedule) -> Callable:
    kernel = tf.TensorSpec([None, None, None], tf.float32)
    whole_number = tf.TensorSpec([], tf.int64)

    @tf.function(
        input_signature=[
            kernel,
            kernel,
            tf.TensorSpec([], tf.float32),
            whole_number,
            whole_number,
        ],
        autograph=False,
    )
    def update(kernel_wio, mask_wio, threshold, key, step):
        started = tf.debugging.Assert(step > 0, [_NO_CALLBACK])
        with tf.control_dependencies([started]):
            prune, sparsity = schedule(step)
        return tf.cond(
            prune,
            lambda: renewal(kernel_wio, mask_wio, sparsity, key, step),
            lambda: (mask_wio, threshold),
        )

    return update
