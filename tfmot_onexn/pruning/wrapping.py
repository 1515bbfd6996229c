"""Puts wrappers around layers, and copies models with some of their layers wrapped."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import surgery
from tfmot_onexn.pruning import checks, policy, prunable
from tfmot_onexn.pruning.masking import MaskingWrapper

Layer: TypeAlias = tf_keras.layers.Layer


def wrap(
    to_prune,
    wrapper: Callable[..., MaskingWrapper],
    pruning_policy: tfmot.PruningPolicy,
    *,
    granularity: str = "block",
    weights: Mapping[Layer, list[np.ndarray]] | None = None,
    schedules: Mapping[Layer, tfmot.PruningSchedule] | None = None,
):
    """Wraps a layer, the prunable ones of a list, or those a policy allows of a model.

    Args:
      to_prune: what `checks.validate` lets pass. A model is copied, not changed.
      wrapper: makes a wrapper from a layer.
      pruning_policy: which layers of a model to wrap.
      granularity: "block" or "weight", see `prunable.is_prunable`.
      weights: as for `map_with_weights`.
      schedules: of some layers of a model, in place of the wrapper's own.

    Raises:
      ValueError: if the policy allows only layers that this granularity cannot prune.
    """
    if isinstance(to_prune, list):
        return [
            wrapper(layer)
            if prunable.is_prunable(layer, granularity)
            and not isinstance(layer, pruning_wrapper.PruneLowMagnitude)
            else layer
            for layer in to_prune
        ]
    if checks.is_single_layer(to_prune):
        return wrapper(to_prune)
    schedules = schedules or {}
    leaves = policy.chosen_layers(to_prune, pruning_policy, granularity)
    if not leaves and policy.chosen_layers(to_prune, pruning_policy, "weight"):
        policy.require_chosen(to_prune, pruning_policy, granularity)
    chosen = {id(leaf) for leaf in leaves}

    def wrapped(layer: Layer, copy: Layer) -> Layer:
        if id(layer) not in chosen:
            return copy
        own = {"pruning_schedule": schedules[layer]} if layer in schedules else {}
        return wrapper(copy, **own)

    return map_with_weights(to_prune, wrapped, weights)


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
