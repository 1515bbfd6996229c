"""Copies a Keras 3 model, weight for weight, into the tf_keras that tfmot works on.

`tf.keras` has been Keras 3 since TensorFlow 2.16, while tfmot still needs the Keras 2
code that lives on as `tf_keras`. Both describe the same layers, so a functional model
is rebuilt call by call.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.networks import keras3_functions

# of the same name and meaning in both
_ACTIVATIONS = (
    *("elu", "exponential", "gelu", "linear", "mish", "relu", "relu6", "selu"),
    *("sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh"),
)


def from_keras3(model: Any) -> tf_keras.Model:
    """Returns a `tf_keras` copy of a Keras 3 model.

    ```python
    model = keras.applications.MobileNetV2()
    pruned = tfmot_onexn.prune_low_magnitude_1xN(tfmot_onexn.from_keras3(model))
    ```

    Args:
      model: a functional or built Sequential Keras 3 model of built-in layers, on any
        backend. It is not changed.

    Returns:
      A model of the same layer names, settings and weights. It must be compiled.

    Raises:
      ValueError: naming the layer that has no counterpart in `tf_keras`.
    """
    import keras

    if isinstance(model, tf_keras.Model):
        return model
    if not isinstance(model, keras.Model):
        raise ValueError(f"Expected a Keras 3 model, found {type(model).__name__}.")
    graph = model
    if isinstance(model, keras.Sequential):
        graph = model._functional
    if not hasattr(graph, "_nodes_by_depth"):
        raise ValueError(
            f"Keras 3 model {model.name!r} has no graph to copy. Write it with the "
            "functional API, or build the Sequential model on an input shape."
        )
    return _copy(graph, model.name)


def _copy(model: Any, name: str) -> tf_keras.Model:
    """Rebuilds the graph of a functional Keras 3 model, then copies its weights."""
    import keras

    copies: dict[int, Callable] = {}
    activations: dict[int, Callable] = {}
    tensors: dict[int, Any] = {}

    def copied(value: Any) -> Any:
        return tensors[id(value)] if isinstance(value, keras.KerasTensor) else value

    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operation = node.operation
            if node.is_input:
                outputs = _input(node.outputs[0], operation.name)
            else:
                if id(operation) not in copies:
                    copies[id(operation)] = _translated(operation)
                    activations[id(operation)] = _activation(operation)
                arguments, settings = keras.tree.map_structure(
                    copied, (list(node.arguments.args), node.arguments.kwargs)
                )
                settings = {k: v for k, v in settings.items() if v is not None}
                outputs = copies[id(operation)](*arguments, **settings)
                outputs = activations[id(operation)](outputs)
            sources = keras.tree.flatten(node.outputs)
            for old, new in zip(sources, tf.nest.flatten(outputs), strict=True):
                tensors[id(old)] = new
    inputs = [tensors[id(tensor)] for tensor in model.inputs]
    outputs = [tensors[id(tensor)] for tensor in model.outputs]
    copy = tf_keras.Model(
        inputs if len(inputs) > 1 else inputs[0],
        outputs if len(outputs) > 1 else outputs[0],
        name=name,
    )
    for operation in model.operations:
        twin = copies.get(id(operation))
        if isinstance(twin, tf_keras.layers.Layer) and twin.weights:
            twin.set_weights([np.asarray(w) for w in operation.get_weights()])
    return copy


def _input(tensor: Any, name: str) -> Any:
    return tf_keras.Input(
        batch_size=tensor.shape[0],
        shape=tensor.shape[1:],
        dtype=str(tensor.dtype),
        name=name,
    )


def _translated(operation: Any) -> Callable:
    """Returns the tf_keras layer or TensorFlow function for a Keras 3 operation."""
    import keras

    kind = type(operation).__name__
    if isinstance(operation, keras.Model):
        return from_keras3(operation)
    if not isinstance(operation, keras.layers.Layer):
        function = keras3_functions.translated(operation)
        if function is not None:
            return function
        raise ValueError(
            f"The Keras 3 operation {operation.name!r} ({kind}) has no counterpart "
            f"here. Copied are the functions {keras3_functions.SUPPORTED}."
        )
    twin = getattr(tf_keras.layers, kind, None)
    if twin is None or not type(operation).__module__.startswith("keras."):
        raise ValueError(
            f"Layer {operation.name!r} ({kind}) has no counterpart in tf_keras. Build "
            "that part of the model with tf_keras."
        )
    return twin(**_settings(operation, twin))


def _settings(layer: Any, twin: type) -> dict[str, Any]:
    """Translates a Keras 3 layer's config into arguments of its tf_keras twin."""
    accepted = {"name", "trainable", "dtype"}
    for base in inspect.getmro(twin):
        accepted |= set(inspect.signature(base).parameters)
    defaults = inspect.signature(type(layer)).parameters
    settings = {}
    for key, value in layer.get_config().items():
        if key.endswith("_initializer"):
            continue  # the weights are copied
        if key == "activation":
            value = _same_activation(layer, value)
        if key in accepted:
            settings[key] = _plain(value)
        elif key in defaults and value != defaults[key].default:
            raise ValueError(
                f"Layer {layer.name!r} ({type(layer).__name__}) is set to "
                f"{key}={value!r}, which tf_keras does not have."
            )
    return settings


def _same_activation(layer: Any, activation: Any) -> Any:
    """Returns the activation to set; one that `_activation` applies is left out."""
    if activation in keras3_functions.ACTIVATIONS:
        return None
    if activation not in (None, *_ACTIVATIONS):
        raise ValueError(
            f"Layer {layer.name!r} has the activation {activation!r}, which is not "
            "the same function in tf_keras. Copied are "
            f"{[*_ACTIVATIONS, *keras3_functions.ACTIVATIONS]}."
        )
    return activation


def _activation(operation: Any) -> Callable:
    """Returns what to apply to a layer's output in place of its activation."""
    function = getattr(operation, "activation", None)
    name = getattr(function, "__name__", "")
    return keras3_functions.ACTIVATIONS.get(name, tf_keras.activations.linear)


def _plain(value: Any) -> Any:
    """Reduces Keras 3's serialized objects to what tf_keras reads."""
    if isinstance(value, Mapping) and "class_name" in value:
        if value["class_name"] == "DTypePolicy":
            return value["config"]["name"]
        return {"class_name": value["class_name"], "config": dict(value["config"])}
    return value
