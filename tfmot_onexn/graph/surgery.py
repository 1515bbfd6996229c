"""Copies of Keras models, with other weights or other layer settings."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import tf_keras

Layer: TypeAlias = tf_keras.layers.Layer


def leaf_layers(model: tf_keras.Model) -> list[Layer]:
    """Returns the layers of a model and of the models inside it, each once."""
    leaves: dict[int, Layer] = {}
    for layer in model.layers:
        inner = leaf_layers(layer) if isinstance(layer, tf_keras.Model) else [layer]
        leaves.update((id(leaf), leaf) for leaf in inner)
    return list(leaves.values())


def copy_layer(layer: Layer, changes: Mapping[str, Any] | None = None) -> Layer:
    """Returns an unbuilt layer with the same settings, but for ``changes``."""
    return type(layer).from_config({**layer.get_config(), **(changes or {})})


def map_layers(
    model: tf_keras.Model, replace: Callable[[Layer], Layer]
) -> tf_keras.Model:
    """Rebuilds a functional or Sequential model with each layer replaced.

    Args:
      model: is not changed.
      replace: maps a layer to the one that takes its place, called once per layer;
        models inside the model are rebuilt in turn.
    """

    def clone(layer: Layer) -> Layer:
        if isinstance(layer, tf_keras.Model):
            return map_layers(layer, replace)
        return replace(layer)

    mapped = tf_keras.models.clone_model(model, clone_function=clone)
    # the model's own flag, past its setter, which would change every layer
    mapped._trainable = model._trainable
    return mapped


def copy_model(
    model: tf_keras.Model,
    weights: Mapping[Layer, list[np.ndarray]] | None = None,
    changes: Mapping[Layer, Mapping[str, Any]] | None = None,
) -> tf_keras.Model:
    """Returns a copy of a model that shares nothing with it.

    Args:
      model: a functional or Sequential model; compile state is not copied.
      weights: other weights, in `Layer.get_weights` order, for some of its layers.
      changes: other settings for some of its layers.
    """
    copies: dict[Layer, Layer] = {}

    def copied(layer: Layer) -> Layer:
        copies[layer] = copy_layer(layer, (changes or {}).get(layer))
        return copies[layer]

    copy = map_layers(model, copied)
    for layer, twin in copies.items():
        new = (weights or {}).get(layer)
        new = [w.numpy() for w in layer.weights] if new is None else new
        for variable, value in zip(twin.weights, new, strict=True):
            variable.assign(value)
    return copy
