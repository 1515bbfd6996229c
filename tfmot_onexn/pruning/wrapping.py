"""Copies of models with some of their layers wrapped."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import surgery
from tfmot_onexn.pruning.masking import MaskingWrapper

Layer: TypeAlias = tf_keras.layers.Layer


def map_with_weights(
    model: tf_keras.Model,
    replace: Callable[[Layer, Layer], Layer],
    weights: Mapping[Layer, list[np.ndarray]] | None = None,
) -> tf_keras.Model:
    """Copies a model with ``replace(layer, copy)`` in place of each layer's copy.

    Args:
      model: a functional or Sequential model; it is not changed.
      replace: maps a layer and its unbuilt copy to what takes the layer's place, often
        a wrapper around the copy.
      weights: other weights, in `Layer.get_weights` order, for some of its layers.
    """
    replacements: dict[Layer, Layer] = {}

    def replaced(layer: Layer) -> Layer:
        replacements[layer] = replace(layer, surgery.copy_layer(layer))
        return replacements[layer]

    copy = surgery.map_layers(model, replaced)
    for layer, replacement in replacements.items():
        new = (weights or {}).get(layer)
        if isinstance(layer, MaskingWrapper):
            for source, target in zip(layer.weights, replacement.weights, strict=True):
                target.assign(source)
        elif layer.built:
            replacement.set_weights(layer.get_weights() if new is None else new)
    return copy
