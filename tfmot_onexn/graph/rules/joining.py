"""Layers that join tensors."""

import numpy as np
import tf_keras
from tf_keras.src.applications import inception_resnet_v2

from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.registry import rule

layers = tf_keras.layers


def join(trace, inputs, call, zero: bool) -> list[Channels]:
    """Ties operands on their last axis; one of length 1 is broadcast."""
    width = max(source.numbers.size for source in inputs)
    wide = [source for source in inputs if source.numbers.size == width]
    for other in wide[1:]:
        trace.tie(wide[0].numbers, other.numbers)
    return [Channels(wide[0].numbers, call.shapes[0], zero)]


@rule(
    layers.Add,
    layers.Subtract,
    layers.Average,
    layers.Maximum,
    layers.Minimum,
    inception_resnet_v2.CustomScaleLayer,
)
def additive(trace, layer, inputs, call):
    """The operands share one order, and their channels are removed together."""
    return join(trace, inputs, call, all(source.zero for source in inputs))


@rule(layers.Multiply)
def multiply(trace, layer, inputs, call):
    """The operands share one order; one that is a single channel is broadcast."""
    wide = max(source.numbers.size for source in inputs)
    zero = any(source.zero for source in inputs if source.numbers.size == wide)
    return join(trace, inputs, call, zero)


@rule(layers.Concatenate)
def concatenate(trace, layer, inputs, call):
    """Channels stand side by side, each input's in an order of its own."""
    return concatenated(trace, inputs, call, layer.axis)


def concatenated(trace, inputs, call, axis: int) -> list[Channels]:
    """Joins inputs along an axis."""
    rank = len(inputs[0].shape)
    zero = all(source.zero for source in inputs)
    if axis % rank != rank - 1:
        return join(trace, inputs, call, zero)
    numbers = np.concatenate([source.numbers for source in inputs])
    return [Channels(numbers, call.shapes[0], zero)]
