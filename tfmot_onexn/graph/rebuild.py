"""Builds a functional model anew, call by call, with some calls replaced."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import calls, surgery
from tfmot_onexn.graph.calls import Call

Layer: TypeAlias = tf_keras.layers.Layer
# symbolic inputs of a call -> what takes the place of its output
Replacement: TypeAlias = Callable[[list[Any]], Any]


def rebuild(
    model: tf_keras.Model,
    replacements: Mapping[Call, Replacement],
    found: calls.Calls,
    weights: Mapping[Layer, list[np.ndarray]] | None = None,
) -> tf_keras.Model:
    """Returns a functional model in which some calls are others.

    Unlike `surgery.copy_model` it can put layers between others and leave some out.
    Models inside the model lose their bounds.

    Args:
      model: functional or Sequential; it is not changed.
      replacements: of calls with one output. Other layers are copied.
      found: the calls of the model.
      weights: of layers that replacements make, in `Layer.get_weights` order.

    Raises:
      ValueError: if models inside it have layers of the same name.
    """
    inputs = [
        tf_keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, model.input_names, strict=True)
    ]
    values: dict[int, Any] = dict(zip(found.inputs, inputs, strict=True))
    copies: dict[int, tuple[Layer, Layer]] = {}
    for call in found.calls:
        if call in replacements:
            replaced = replacements[call]([values[number] for number in call.inputs])
            values[call.outputs[0]] = replaced
            continue
        if id(call.layer) not in copies:
            copies[id(call.layer)] = (call.layer, surgery.copy_layer(call.layer))
        made = call.run(values, copies[id(call.layer)][1])
        values.update(zip(call.outputs, made, strict=True))
    outputs = [values[number] for number in found.outputs]
    rebuilt = tf_keras.Model(
        inputs if len(inputs) > 1 else inputs[0],
        outputs if len(outputs) > 1 else outputs[0],
        name=model.name,
    )
    for layer, copy in copies.values():
        copy.set_weights(layer.get_weights())
    for layer, values_of in (weights or {}).items():
        layer.set_weights(values_of)
    return rebuilt
