"""Layers that make channels: convolutions and Dense."""

import numpy as np
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.elementwise import activated
from tfmot_onexn.graph.rules.registry import (
    channels_last,
    keep_whole_groups,
    rule,
    untraceable,
)

layers = tf_keras.layers


@rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def convolution(trace, layer, inputs, call):
    """Output channels are free; those of a grouped one only inside their group."""
    if not channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    (source,) = inputs
    kernel = layer.kernel
    in_axis, out_axis = len(kernel.shape) - 2, len(kernel.shape) - 1
    if layer.groups == 1:
        _read(trace, layer, kernel, in_axis, source)
        return _make(trace, layer, kernel, out_axis, call)
    trace.keep(source.numbers, f"{layer.name} reads its channels in groups")
    if kernel.shape[in_axis] == 1:
        return _depthwise(trace, layer, kernel, out_axis, source, call)
    by_group = source.numbers.reshape(layer.groups, -1)
    for other in by_group[1:]:
        # each group reads with the same places of the kernel
        trace.tie(by_group[0], other)
    trace.attach(layer, kernel, in_axis, cg.INPUT, by_group[0])
    (made,) = _make(trace, layer, kernel, out_axis, call)
    reason = f"{layer.name} makes its channels in groups"
    keep_whole_groups(trace, made.numbers, layer.groups, reason)
    return [made]


@rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def transposed_convolution(trace, layer, inputs, call):
    """Output channels are free."""
    if not channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    rank = len(layer.kernel.shape)
    _read(trace, layer, layer.kernel, rank - 1, inputs[0])
    return _make(trace, layer, layer.kernel, rank - 2, call)


@rule(layers.Dense)
def dense(trace, layer, inputs, call):
    """Outputs are free."""
    _read(trace, layer, layer.kernel, 0, inputs[0])
    return _make(trace, layer, layer.kernel, 1, call)


@rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise_convolution(trace, layer, inputs, call):
    """Output channels follow the input channels, whose order is free."""
    if not channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    kernel = layer.depthwise_kernel
    return _depthwise(trace, layer, kernel, len(kernel.shape) - 2, inputs[0], call)


@rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable_convolution(trace, layer, inputs, call):
    """Output channels are free; the depthwise part follows the input channels."""
    if not channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    (source,) = inputs
    rank = len(layer.depthwise_kernel.shape)
    trace.attach(layer, layer.depthwise_kernel, rank - 2, cg.DEPTHWISE, source.numbers)
    filtered = Channels(
        np.repeat(source.numbers, layer.depth_multiplier), source.shape, source.zero
    )
    _read(trace, layer, layer.pointwise_kernel, rank - 2, filtered)
    return _make(trace, layer, layer.pointwise_kernel, rank - 1, call)


def _read(trace, layer, kernel, axis: int, source: Channels) -> None:
    trace.attach(layer, kernel, axis, cg.INPUT, source.numbers)
    if not source.zero:
        trace.keep(
            source.numbers, f"a removed channel would not be zero before {layer.name}"
        )


def _make(trace, layer, kernel, axis: int, call) -> list[Channels]:
    made = trace.made_by(layer, kernel.shape[axis])
    trace.attach(layer, kernel, axis, cg.OUTPUT, made)
    return _biased(trace, layer, Channels(made, call.shapes[0], zero=True))


def _depthwise(
    trace, layer, kernel, axis: int, source: Channels, call
) -> list[Channels]:
    """Follows a kernel that filters each channel by itself.

    ``axis`` of the kernel runs over the input channels, or over what they become.
    """
    (shape,) = call.shapes
    count = shape[-1]
    numbers = np.repeat(source.numbers, count // source.numbers.size)
    along = numbers if kernel.shape[axis] == count else source.numbers
    trace.attach(layer, kernel, axis, cg.DEPTHWISE, along)
    return _biased(trace, layer, Channels(numbers, shape, source.zero))


def _biased(trace, layer, output: Channels) -> list[Channels]:
    if layer.use_bias:
        trace.attach(layer, layer.bias, 0, cg.BIAS, output.numbers)
    return [activated(trace, layer, output)]
