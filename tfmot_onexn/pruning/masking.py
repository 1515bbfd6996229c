"""The layer wrappers that hold the masks while a model trains.

A wrapper computes its layer with ``weight * mask`` in place of the weight. A pruned
weight gets no gradient and stays 0, as in the paper's training; inference and export
need no update, and the call adds one multiplication to the graph.

Masks change in one of three ways:

* `OneShot`: once, when the layer is built.
* our `UpdatePruningStep`: between steps, outside the graph (cheapest).
* tfmot's `UpdatePruningStep`: inside the graph, at each step the schedule names.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.keras import utils as tfmot_utils
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.pruning import prunable
from tfmot_onexn.pruning import schedule as schedule_lib


class MaskingWrapper(pruning_wrapper.PruneLowMagnitude):
    """Computes a layer with some of its weights masked.

    A `tfmot.sparsity.keras.PruneLowMagnitude` in all that tfmot's callbacks and
    `collect_prunable_layers` rely on.

    Attributes:
      layer: the wrapped layer.
      pruning_schedule: when and how much to prune.
      pruning_step: int64 variable, -1 before training.
      updated_by_callback: whether `UpdatePruningStep` renews the masks, so that the
        graph need not.
    """

    name_prefix = ""

    def __init__(self, layer, pruning_schedule=None, **kwargs):
        kwargs.setdefault("name", f"{self.name_prefix}_{layer.name}")
        kwargs.setdefault("dtype", layer.dtype_policy)
        # tfmot's own __init__ refuses subclasses of the layers it knows
        tf_keras.layers.Wrapper.__init__(self, layer, **kwargs)
        self._track_trackable(layer, name="layer")
        self.pruning_schedule = pruning_schedule or schedule_lib.OneShot(0.5)
        self.updated_by_callback = False
        self._masks_stand = False
        self._masks: list[Any] = []
        self._thresholds: list[Any] = []
        if "_batch_input_shape" not in vars(self) and hasattr(
            layer, "_batch_input_shape"
        ):
            self._batch_input_shape = layer._batch_input_shape

    @property
    def pruning_vars(self) -> list[tuple[Any, Any, Any]]:
        """``(weight, mask, threshold)`` for each masked weight, as tfmot has it."""
        weights = self.masked_weights() if self._masks else []
        return list(zip(weights, self._masks, self._thresholds, strict=True))

    @property
    def one_shot(self) -> bool:
        """Whether the masks stand from the start."""
        return isinstance(self.pruning_schedule, schedule_lib.OneShot)

    def masked_weights(self) -> list[Any]:
        """Returns the variables of the built layer that get a mask."""
        raise NotImplementedError

    def build(self, input_shape):
        tf_keras.layers.Wrapper.build(self, input_shape)
        for weight in self.masked_weights():
            prunable.locate(self.layer, weight)
            self._masks.append(self._add_state("mask", weight.shape, "ones", weight))
            self._thresholds.append(self._add_state("threshold", [], "zeros", weight))
        self.pruning_step = self.add_weight(
            "pruning_step",
            shape=[],
            initializer=tf_keras.initializers.Constant(-1),
            dtype=tf.int64,
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def _add_state(self, name: str, shape, initializer: str, weight):
        return self.add_weight(
            name,
            shape=shape,
            initializer=initializer,
            dtype=getattr(weight, "true_dtype", weight.dtype),
            trainable=False,
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )

    def call(self, inputs, training=None, **kwargs):
        if training is None:
            training = tf_keras.backend.learning_phase()
        if not self.one_shot and not self.updated_by_callback:
            tfmot_utils.smart_cond(training, self._update_in_graph, tf.no_op)
        if self.layer._expects_training_arg:
            kwargs["training"] = training
        if not self.layer._expects_mask_arg:
            kwargs.pop("mask", None)
        with self._weights_masked():
            return self.layer.call(inputs, **kwargs)

    def compute_mask(self, inputs, mask=None):
        """Passes on the time steps that Keras masks as the layer itself would."""
        if self.layer.supports_masking or self.layer._expects_mask_arg:
            return self.layer.compute_mask(inputs, mask)
        return None

    @contextlib.contextmanager
    def _weights_masked(self) -> Iterator[None]:
        """Puts ``weight * mask`` where the layer keeps its weights."""
        if self._masks_stand:
            yield
            return
        weights = self.masked_weights()
        places = [prunable.locate(self.layer, weight) for weight in weights]
        try:
            for place, weight, mask in zip(places, weights, self._masks, strict=True):
                _put(place, self._masked(weight, mask))
            yield
        finally:
            for place, weight in zip(places, weights, strict=True):
                _put(place, weight)

    @staticmethod
    def _masked(weight, mask) -> tf.Tensor:
        """Returns what the layer computes with in place of a weight."""
        return weight * mask

    def _update_in_graph(self):
        """Counts the step and renews the masks if the schedule says so."""
        raise NotImplementedError

    def set_mask(self, index: int, mask: np.ndarray, threshold: float) -> None:
        """Assigns a mask in the shape of the weight and applies it to the weight."""
        weight, mask_variable, threshold_variable = self.pruning_vars[index]
        mask_variable.assign(mask.astype(mask_variable.dtype.as_numpy_dtype))
        threshold_variable.assign(threshold)
        self._apply_mask(weight, mask_variable)

    @staticmethod
    def _apply_mask(weight, mask) -> None:
        weight.assign(weight.read_value() * mask.read_value())

    @property
    def pruning_obj(self) -> "MaskingWrapper":
        """What tfmot's callback asks for `weight_mask_op`: the wrapper itself."""
        return self

    def weight_mask_op(self):
        """Sets the pruned weights to 0, as tfmot's callback does after each epoch."""
        for weight, mask, _ in self.pruning_vars:
            self._apply_mask(weight, mask)
        return tf.no_op() if not tf.executing_eagerly() else None

    @contextlib.contextmanager
    def as_stripped(self) -> Iterator[None]:
        """Applies the masks to the weights, and computes without multiplying."""
        name = self.name
        self.weight_mask_op()
        self._masks_stand, self._name = True, self.layer.name
        try:
            yield
        finally:
            self._masks_stand, self._name = False, name

    def get_config(self) -> dict[str, Any]:
        config = tf_keras.layers.Wrapper.get_config(self)
        config["pruning_schedule"] = self.pruning_schedule.get_config()
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]):
        config = dict(config)
        config["layer"] = tf_keras.layers.deserialize(config["layer"])
        config["pruning_schedule"] = schedule_lib.deserialize(
            config["pruning_schedule"]
        )
        return cls(**config)


@contextlib.contextmanager
def as_stripped(model: tf_keras.Model) -> Iterator[None]:
    """Lets a model compute, and name its operators, as if it had been stripped.

    Its masks are applied to its weights meanwhile, so that nothing is copied.

    Args:
      model: with no other wrappers than `MaskingWrapper`.
    """
    with contextlib.ExitStack() as stack:
        for wrapper in pruning_wrapper.collect_prunable_layers(model):
            if isinstance(wrapper, MaskingWrapper):
                stack.enter_context(wrapper.as_stripped())
        yield


def _put(place: tuple[Any, str | int], value) -> None:
    """Sets an attribute or a list item past Keras' tracking of both."""
    owner, key = place
    if isinstance(key, int):
        getattr(owner, "_storage", owner)[key] = value
    else:
        object.__setattr__(owner, key, value)
