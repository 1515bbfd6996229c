"""Filter pruning, the paper's baseline: whole output channels, chosen by l1 norm.

A filter is gone only if nothing of its channel is left further on. So its kernel, its
bias and the gamma and beta of every BatchNormalization on its channel are masked, and
layers whose channels a residual add ties choose jointly. `graph.shrink` then removes
the channels and the outputs stay.
"""

from typing import Any

import numpy as np
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import tracing
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.sparsity import masks

_MASKED_ROLES = (cg.OUTPUT, cg.BIAS, cg.SCALE)


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class PruneFilters(MaskingWrapper):
    """Masks what a layer adds to the channels of removed filters.

    Which filters go is decided for a whole channel group by `update_masks`.

    Attributes:
      saliency: the criterion of the layers that choose.
    """

    name_prefix = "prune_filters"

    def __init__(self, layer, pruning_schedule=None, saliency: str = "l1", **kwargs):
        self.saliency = saliency
        super().__init__(layer, pruning_schedule, **kwargs)

    def masked_weights(self) -> list[Any]:
        names = ("kernel", "pointwise_kernel", "bias", "gamma", "beta")
        weights = [getattr(self.layer, name, None) for name in names]
        return [weight for weight in weights if weight is not None]

    def _update_in_graph(self):
        raise ValueError(
            f"{self.name} prunes filters on a schedule, jointly with other layers, "
            "which one layer's graph cannot do. Train with "
            "tfmot_onexn.UpdatePruningStep, or use OneShot."
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "saliency": self.saliency}


def groups_to_prune(
    graph: cg.ChannelGraph, chosen: list[tf_keras.layers.Layer]
) -> list[cg.ChannelGroup]:
    """Returns the groups whose filters can go and whose producers are all chosen."""
    ids = {id(layer) for layer in chosen}
    return [
        group
        for group in graph.groups
        if group.producers
        and not (group.pinned or group.kept)
        and all(id(layer) in ids for layer in group.producers)
    ]


def layers_to_mask(groups: list[cg.ChannelGroup]) -> list[tf_keras.layers.Layer]:
    """Returns the layers through which a removed filter of the groups could leak."""
    found = {
        id(member.axis.layer): member.axis.layer
        for group in groups
        for member in group.members
        if member.axis.role in _MASKED_ROLES
    }
    return list(found.values())


def update_masks(model: tf_keras.Model, sparsity: float) -> None:
    """Chooses the filters of a wrapped model anew and sets the masks of all its layers.

    Args:
      model: with `PruneFilters` wrappers.
      sparsity: share of filters to remove from each group, in [0, 1).
    """
    wrappers = {
        id(wrapper.layer): wrapper
        for wrapper in pruning_wrapper.collect_prunable_layers(model)
        if isinstance(wrapper, PruneFilters)
    }
    chosen = [wrapper.layer for wrapper in wrappers.values()]
    for group in groups_to_prune(tracing.trace(model), chosen):
        members = [m for m in group.members if m.axis.role in _MASKED_ROLES]
        kernels = [
            _along_channels(wrappers, m) for m in members if m.axis.role == cg.OUTPUT
        ]
        saliency = wrappers[id(group.producers[0])].saliency
        keep = masks.filter_mask(kernels, sparsity, saliency=saliency)
        for member in members:
            _mask_channels(wrappers[id(member.axis.layer)], member, keep)
        for member in group.members_as(cg.MEAN):
            _clear_mean(member, keep)


def _index_of(wrapper: PruneFilters, member: cg.Member) -> int:
    variable = member.axis.layer.weights[member.axis.weight]
    return next(i for i, v in enumerate(wrapper.pruning_vars) if v[0] is variable)


def _along_channels(wrappers: dict[int, PruneFilters], member: cg.Member) -> np.ndarray:
    """Returns a kernel as masked now, ``[..., size]`` in the group's order."""
    wrapper = wrappers[id(member.axis.layer)]
    weight, mask, _ = wrapper.pruning_vars[_index_of(wrapper, member)]
    kernel = weight.read_value().numpy() * mask.read_value().numpy()
    return np.take(kernel, member.positions[0], axis=member.axis.axis)


def _mask_channels(wrapper: PruneFilters, member: cg.Member, keep: np.ndarray) -> None:
    index = _index_of(wrapper, member)
    mask = np.moveaxis(wrapper.pruning_vars[index][1].numpy(), member.axis.axis, -1)
    mask[..., member.positions] = keep
    wrapper.set_mask(index, np.moveaxis(mask, -1, member.axis.axis), 0.0)


def _clear_mean(member: cg.Member, keep: np.ndarray) -> None:
    """Clears the running mean of removed channels: without gamma it would leak."""
    mean = member.axis.layer.weights[member.axis.weight]
    value = mean.numpy()
    value[member.positions[:, ~keep]] = 0
    mean.assign(value)
