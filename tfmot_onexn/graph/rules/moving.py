"""Layers that move positions."""

import math

import numpy as np
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.registry import Shape, rule, same, untraceable

layers = tf_keras.layers


@rule(layers.Reshape)
def reshape(trace, layer, inputs, call):
    """Channels pass, repeated or not, unless the new shape splits them."""
    outputs = flatten(trace, layer, inputs, call)
    trace.attach(layer, None, 0, cg.SETTING, outputs[0].numbers)
    return outputs


@rule(layers.Flatten)
def flatten(trace, layer, inputs, call):
    """Channels pass, repeated for each position."""
    (source,) = inputs
    (shape,) = call.shapes
    numbers = reshaped(source, shape)
    if numbers is None:
        return untraceable(trace, layer, inputs, call, "splits or mixes channels")
    return [Channels(numbers, shape, source.zero)]


def reshaped(source: Channels, shape: Shape) -> np.ndarray | None:
    """Returns the channel numbers on the last axis after a reshape, or None."""
    if shape[-1] == source.shape[-1]:
        return source.numbers
    inner = [size for size in source.shape[1:] if size is not None]
    outer = [size for size in shape[1:] if size is not None]
    known = len(inner) == len(source.shape) - 1 and len(outer) == len(shape) - 1
    if not known or math.prod(inner) != math.prod(outer):
        return None
    moved = np.broadcast_to(source.numbers, inner).reshape(-1, outer[-1])
    return moved[0] if (moved == moved[0]).all() else None


@rule(layers.Permute)
def permute(trace, layer, inputs, call):
    """Channels pass if they stay on the last axis."""
    if layer.dims[-1] != len(layer.dims):
        return untraceable(trace, layer, inputs, call, "moves the channel axis")
    return same(call, inputs[0])


@rule(layers.RepeatVector)
def repeat_vector(trace, layer, inputs, call):
    """Channels pass."""
    return same(call, inputs[0])
