"""Removes the filters that filter pruning has set to zero."""

from typing import Any

import numpy as np
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import reindex, surgery, tracing


def shrink_filters(model: tf_keras.Model) -> tf_keras.Model:
    """Returns a smaller dense model without the channels that are zero everywhere.

    A channel goes when the filters that make it, its biases and its
    BatchNormalization scale are all zero, in every layer that a residual add ties.

    Args:
      model: a stripped model, as `strip_pruning(prune_filters(...))` gives. It is not
        changed.

    Returns:
      A model with fewer filters that computes the same function.

    Raises:
      ValueError: if the model has no graph, or pruning wrappers.
    """
    graph = tracing.trace(model)
    tracing.require_bare(model)
    indices = {}
    for group in graph.groups:
        if group.pinned or group.kept:
            continue
        alive = np.flatnonzero(~_zero_channels(group))
        if alive.size < group.size:
            indices[group] = alive if alive.size else np.array([0])
    weights = reindex.reindexed_weights(indices)
    return surgery.copy_model(model, weights, _settings(indices))


def _zero_channels(group: cg.ChannelGroup) -> np.ndarray:
    """Returns which channels of a group are zero wherever they are read ``[size]``."""
    zero = np.full(group.size, bool(group.members_as(cg.OUTPUT)))
    for member in group.members:
        axis = member.axis
        unscaled_mean = axis.role == cg.MEAN and not axis.layer.scale
        if unscaled_mean or axis.role in (cg.OUTPUT, cg.BIAS, cg.SCALE):
            weight = axis.layer.get_weights()[axis.weight]
            others = tuple(i for i in range(weight.ndim) if i != axis.axis)
            is_zero = (weight == 0).all(axis=others)
            zero &= is_zero[member.positions].all(axis=0)
    return zero


def _settings(
    indices: reindex.Indices,
) -> dict[tf_keras.layers.Layer, dict[str, Any]]:
    """Returns the layer settings that name a number of channels that has changed."""
    settings: dict[tf_keras.layers.Layer, dict[str, Any]] = {}
    for axis, take in reindex.axis_indices(indices).items():
        count = int(take.size)
        if axis.role == cg.SETTING:
            shape = (*axis.layer.target_shape[:-1], count)
            settings[axis.layer] = {"target_shape": shape}
        elif axis.role == cg.OUTPUT:
            units = isinstance(axis.layer, tf_keras.layers.Dense)
            settings[axis.layer] = {"units" if units else "filters": count}
    return settings
