"""Layers that scale channels by statistics."""

import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.registry import (
    keep_whole_groups,
    rule,
    same,
    untraceable,
)

layers = tf_keras.layers


def _normalizes_last_axis(layer, source: Channels) -> bool:
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    rank = len(source.shape)
    return [axis % rank for axis in axes] == [rank - 1]


@rule(layers.BatchNormalization)
def batch_normalization(trace, layer, inputs, call):
    """Channels pass, each with its statistics, gamma and beta."""
    (source,) = inputs
    if not _normalizes_last_axis(layer, source):
        return untraceable(trace, layer, inputs, call, "normalizes another axis")
    if layer.scale:
        trace.attach(layer, layer.gamma, 0, cg.SCALE, source.numbers)
    if layer.center:
        trace.attach(layer, layer.beta, 0, cg.BIAS, source.numbers)
    trace.attach(layer, layer.moving_mean, 0, cg.MEAN, source.numbers)
    trace.attach(layer, layer.moving_variance, 0, cg.VARIANCE, source.numbers)
    # gamma and beta of a removed channel are 0; without gamma zeros must enter
    return [Channels(source.numbers, source.shape, layer.scale or source.zero)]


@rule(layers.LayerNormalization)
def layer_normalization(trace, layer, inputs, call):
    """Channels pass in any order; none can be removed, as all share one mean."""
    (source,) = inputs
    if not _normalizes_last_axis(layer, source):
        return untraceable(trace, layer, inputs, call, "normalizes another axis")
    trace.keep(source.numbers, f"{layer.name} divides by a norm over all channels")
    return _scaled(trace, layer, source, call)


@rule(layers.GroupNormalization)
def group_normalization(trace, layer, inputs, call):
    """Channels move only inside their group; none can be removed."""
    (source,) = inputs
    if not _normalizes_last_axis(layer, source):
        return untraceable(trace, layer, inputs, call, "normalizes another axis")
    groups = layer.groups if layer.groups > 0 else source.numbers.size
    reason = f"{layer.name} normalizes its channels in groups"
    if groups == source.numbers.size:
        trace.keep(source.numbers, reason)
    else:
        keep_whole_groups(trace, source.numbers, groups, reason)
    return _scaled(trace, layer, source, call)


@rule(layers.UnitNormalization)
def unit_normalization(trace, layer, inputs, call):
    """Channels pass in any order; none can be removed, as all share one norm."""
    (source,) = inputs
    if not _normalizes_last_axis(layer, source):
        return untraceable(trace, layer, inputs, call, "normalizes another axis")
    trace.keep(source.numbers, f"{layer.name} divides by a norm over all channels")
    return same(call, source)


@rule(layers.Normalization)
def normalization(trace, layer, inputs, call):
    """Channels stay in place: the statistics are settings, one per channel."""
    (source,) = inputs
    trace.pin(source.numbers, f"{layer.name} has statistics for each channel")
    return same(call, source)


def _scaled(trace, layer, source: Channels, call) -> list[Channels]:
    if layer.scale:
        trace.attach(layer, layer.gamma, 0, cg.ELEMENTWISE, source.numbers)
    if layer.center:
        trace.attach(layer, layer.beta, 0, cg.ELEMENTWISE, source.numbers)
    return same(call, source)
