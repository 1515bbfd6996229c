"""Applies an index to every weight axis of a channel group.

One routine serves reordering (the index is a permutation) and removal (it is shorter).
"""

from collections.abc import Mapping

import numpy as np
import tf_keras

from tfmot_onexn.graph.channel_groups import ChannelGroup, WeightAxis

Indices = Mapping[ChannelGroup, np.ndarray]


def axis_index(length: int, indices: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Returns which positions of an axis to take, in order.

    Args:
      length: of the axis.
      indices: pairs of a member's ``positions [repeats, size]`` and its group's index:
        the group's place i takes the channel ``index[i]``; places past it fall away.
    """
    take = np.arange(length)
    stays = np.ones(length, bool)
    for positions, index in indices:
        take[positions[:, : index.size]] = positions[:, index]
        stays[positions[:, index.size :]] = False
    return take[stays]


def axis_indices(indices: Indices) -> dict[WeightAxis, np.ndarray]:
    """Returns for each weight axis that changes which positions to take."""
    parts: dict[WeightAxis, list[tuple[np.ndarray, np.ndarray]]] = {}
    for group, index in indices.items():
        for member in group.members:
            parts.setdefault(member.axis, []).append((member.positions, index))
    return {axis: axis_index(axis.channels.size, part) for axis, part in parts.items()}


def reindexed_weights(
    indices: Indices,
) -> dict[tf_keras.layers.Layer, list[np.ndarray]]:
    """Returns the new weights of each layer that an index touches.

    Args:
      indices: for each group to change, the channels to take ``[<= size]``.

    Raises:
      ValueError: if a group is pinned, or an index does not fit it.
    """
    for group, index in indices.items():
        _validate(group, index)
    weights: dict[tf_keras.layers.Layer, list[np.ndarray]] = {}
    for axis, take in axis_indices(indices).items():
        if axis.weight is None:
            continue
        if axis.layer not in weights:
            weights[axis.layer] = axis.layer.get_weights()
        of_layer = weights[axis.layer]
        of_layer[axis.weight] = np.take(of_layer[axis.weight], take, axis=axis.axis)
    return weights


def _validate(group: ChannelGroup, index: np.ndarray) -> None:
    name = ", ".join(layer.name for layer in group.producers) or "no kernel"
    if group.pinned:
        raise ValueError(
            f"The channels made by {name} must stay in place: {group.pinned[0]}."
        )
    if index.size < group.size and group.kept:
        raise ValueError(f"No channel made by {name} can be removed: {group.kept[0]}.")
    if np.unique(index).size != index.size or not 0 < index.size <= group.size:
        raise ValueError(
            f"An index for the {group.size} channels made by {name} must name at least "
            "one channel and none twice."
        )
