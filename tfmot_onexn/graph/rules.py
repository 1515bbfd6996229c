"""How each Keras layer passes channels on: one short rule per kind of layer.

A rule gets the trace, the layer, the channels of its inputs and the call, and returns
the channels of its outputs. A layer without a rule pins what it touches (`pin_all`).
A subclass is followed by its parent's rule unless it computes something else.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.channel_groups import Channels, Trace

layers = tf_keras.layers
Layer: TypeAlias = tf_keras.layers.Layer
Rule = Callable[[Trace, Any, Sequence[Channels], Any], list[Channels]]
RULES: dict[Any, Rule] = {}
_FORWARD_METHODS = ("__call__", "build", "call", "convolution_op")


def _rule(*kinds: type) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, rule))
        return rule

    return register


def rule_for(layer: Layer) -> Rule | None:
    """Returns the rule of a layer's kind, or None if it cannot be followed."""
    kinds: tuple[Any, ...] = type(layer).__mro__
    for kind in kinds:
        if kind in RULES:
            changed = any(
                getattr(type(layer), method, None) is not getattr(kind, method, None)
                for method in _FORWARD_METHODS
            )
            return None if changed else RULES[kind]
    return None


def _output_shapes(call) -> list[tuple[int | None, ...]]:
    return [tuple(tensor.shape) for tensor in tf.nest.flatten(call.outputs)]


def pin_all(trace: Trace, layer, inputs, call, reason: str) -> list[Channels]:
    """Pins the channels that enter a layer and those that leave it."""
    for channels in inputs:
        trace.pin(channels.numbers, reason)
    outputs = []
    for shape in _output_shapes(call):
        numbers = trace.new_channels(shape[-1] or 1 if shape else 1)
        trace.pin(numbers, reason)
        outputs.append(Channels(numbers, shape, zero=True))
    return outputs


def untraceable(trace: Trace, layer, inputs, call, why: str = "") -> list[Channels]:
    """Pins around a layer that cannot be followed and puts it on the list."""
    kind = type(layer).__name__
    line = f"{layer.name} ({kind}): {why or 'no rule for this kind of layer'}"
    if line not in trace.untraced:
        trace.untraced.append(line)
    return pin_all(trace, layer, inputs, call, f"touches {line}")


def _channels_last(layer) -> bool:
    return getattr(layer, "data_format", "channels_last") == "channels_last"


# --- kernels ---------------------------------------------------------------


def _apply_kernel(
    trace, layer, inputs, call, in_axis: int, out_axis: int
) -> list[Channels]:
    (source,) = inputs
    kernel = layer.kernel
    _read_by_kernel(trace, layer, kernel, in_axis, source)
    made = trace.made_by(layer, kernel.shape[out_axis])
    trace.attach(layer, kernel, out_axis, cg.OUTPUT, made)
    if layer.use_bias:
        trace.attach(layer, layer.bias, 0, cg.BIAS, made)
    output = Channels(made, _output_shapes(call)[0], zero=True)
    return [_activated(trace, layer, output)]


def _read_by_kernel(trace, layer, kernel, axis: int, source: Channels) -> None:
    trace.attach(layer, kernel, axis, cg.INPUT, source.numbers)
    if not source.zero:
        trace.keep(
            source.numbers, f"a removed channel would not be zero before {layer.name}"
        )


@_rule(layers.Conv2D)
def convolution(trace, layer, inputs, call):
    if not _channels_last(layer) or layer.groups != 1:
        return untraceable(
            trace, layer, inputs, call, "grouped or channels_first convolution"
        )
    return _apply_kernel(trace, layer, inputs, call, in_axis=2, out_axis=3)


@_rule(layers.Dense)
def dense(trace, layer, inputs, call):
    return _apply_kernel(trace, layer, inputs, call, in_axis=0, out_axis=1)


@_rule(layers.DepthwiseConv2D)
def depthwise(trace, layer, inputs, call):
    if not _channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first convolution")
    (source,) = inputs
    trace.attach(layer, layer.depthwise_kernel, 2, cg.DEPTHWISE, source.numbers)
    numbers = np.repeat(source.numbers, layer.depth_multiplier)
    if layer.use_bias:
        trace.attach(layer, layer.bias, 0, cg.BIAS, numbers)
    output = Channels(numbers, _output_shapes(call)[0], source.zero)
    return [_activated(trace, layer, output)]


@_rule(layers.BatchNormalization)
def batch_normalization(trace, layer, inputs, call):
    (source,) = inputs
    if list(layer.axis) != [len(source.shape) - 1]:
        return untraceable(trace, layer, inputs, call, "normalizes another axis")
    if layer.scale:
        trace.attach(layer, layer.gamma, 0, cg.SCALE, source.numbers)
    if layer.center:
        trace.attach(layer, layer.beta, 0, cg.BIAS, source.numbers)
    trace.attach(layer, layer.moving_mean, 0, cg.MEAN, source.numbers)
    trace.attach(layer, layer.moving_variance, 0, cg.VARIANCE, source.numbers)
    # gamma and beta of a removed channel are 0; without gamma zeros must enter
    return [Channels(source.numbers, source.shape, layer.scale or source.zero)]


# --- activations -----------------------------------------------------------

_ELEMENTWISE = (
    *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "swish"),
    "tanh",
)


def _is_known_activation(function) -> bool:
    known = [getattr(tf_keras.activations, name, None) for name in _ELEMENTWISE]
    known += [getattr(tf.nn, name, None) for name in _ELEMENTWISE]
    known += [tf.tanh, tf.sigmoid, tf.identity]
    return any(function is candidate for candidate in known if candidate)


def _activated(trace, layer, source: Channels) -> Channels:
    """Passes channels through a layer's ``activation``."""
    function = layer.activation
    if function in (tf_keras.activations.softmax, tf.nn.softmax):
        trace.keep(source.numbers, f"{layer.name} divides by a sum over all channels")
        return Channels(source.numbers, source.shape, zero=False)
    if function is not None and not _is_known_activation(function):
        name = getattr(function, "__name__", repr(function))
        why = f"{layer.name} has the activation {name}, which may mix channels"
        if why not in trace.untraced:
            trace.untraced.append(why)
        trace.pin(source.numbers, why)
        return source
    keeps_zero = function is None or float(function(tf.zeros([1]))[0]) == 0.0
    return Channels(source.numbers, source.shape, source.zero and keeps_zero)


@_rule(layers.Activation)
def activation(trace, layer, inputs, call):
    return [_activated(trace, layer, inputs[0])]


@_rule(layers.Softmax)
def softmax(trace, layer, inputs, call):
    (source,) = inputs
    trace.keep(source.numbers, f"{layer.name} divides by a sum over all channels")
    return [Channels(source.numbers, source.shape, zero=False)]


# --- layers that treat every channel alike ---------------------------------


@_rule(
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
)
def unary(trace, layer, inputs, call):
    (source,) = inputs
    return [Channels(source.numbers, _output_shapes(call)[0], source.zero)]


@_rule(
    layers.ZeroPadding2D,
    layers.Cropping2D,
    layers.UpSampling2D,
    layers.MaxPooling2D,
    layers.AveragePooling2D,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
)
def spatial(trace, layer, inputs, call):
    if not _channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    return unary(trace, layer, inputs, call)


@_rule(layers.Rescaling)
def rescaling(trace, layer, inputs, call):
    (source,) = inputs
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        return untraceable(trace, layer, inputs, call, "one scale per channel")
    keeps_zero = float(layer.offset) == 0.0
    return [Channels(source.numbers, source.shape, source.zero and keeps_zero)]


# --- layers that join tensors ----------------------------------------------


def _join(trace, inputs, call, zero: bool) -> list[Channels]:
    """Ties operands on their last axis; one of length 1 is broadcast."""
    width = max(source.numbers.size for source in inputs)
    wide = [source for source in inputs if source.numbers.size == width]
    for other in wide[1:]:
        trace.tie(wide[0].numbers, other.numbers)
    return [Channels(wide[0].numbers, _output_shapes(call)[0], zero)]


@_rule(layers.Add, layers.Subtract, layers.Average, layers.Maximum, layers.Minimum)
def additive(trace, layer, inputs, call):
    return _join(trace, inputs, call, all(source.zero for source in inputs))


@_rule(layers.Multiply)
def multiply(trace, layer, inputs, call):
    wide = max(source.numbers.size for source in inputs)
    zero = any(source.zero for source in inputs if source.numbers.size == wide)
    return _join(trace, inputs, call, zero)


@_rule(layers.Concatenate)
def concatenate(trace, layer, inputs, call):
    rank = len(inputs[0].shape)
    zero = all(source.zero for source in inputs)
    if layer.axis % rank != rank - 1:
        return _join(trace, inputs, call, zero)
    numbers = np.concatenate([source.numbers for source in inputs])
    return [Channels(numbers, _output_shapes(call)[0], zero)]


# --- layers that move positions --------------------------------------------


@_rule(layers.Reshape, layers.Flatten)
def reshape(trace, layer, inputs, call):
    (source,) = inputs
    (shape,) = _output_shapes(call)
    numbers = _reshaped(source, shape)
    if numbers is None:
        return untraceable(trace, layer, inputs, call, "splits or mixes channels")
    if isinstance(layer, layers.Reshape):
        trace.attach(layer, None, 0, cg.SETTING, numbers)
    return [Channels(numbers, shape, source.zero)]


def _reshaped(source: Channels, shape: tuple[int | None, ...]) -> np.ndarray | None:
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


# --- TensorFlow functions called on Keras tensors ---------------------------

_ADDITIVE_OPS = {"__operators__.add", "math.add", "math.subtract", "math.maximum"}
_MULTIPLICATIVE_OPS = {"math.multiply", "__operators__.mul"}
_DIVISIVE_OPS = {"math.truediv", "math.divide", "__operators__.truediv"}
_UNARY_OPS = {
    "identity": True,
    "cast": True,
    "nn.relu": True,
    "nn.relu6": True,
    "nn.silu": True,
    "nn.swish": True,
    "math.tanh": True,
    "math.negative": True,
    "math.abs": True,
    "math.square": True,
    "math.sqrt": True,
    "math.sigmoid": False,
    "math.exp": False,
}


def _is_keras_tensor(value) -> bool:
    return hasattr(value, "_keras_history")


@_rule(
    tf_keras.src.layers.core.tf_op_layer.TFOpLambda,
    tf_keras.src.layers.core.tf_op_layer.SlicingOpLambda,
)
def tf_function(trace, layer, inputs, call):
    """TensorFlow operators between Keras tensors and with scalars, as V3 uses them."""
    symbol = layer.symbol or ""
    constants = [
        argument
        for argument in tf.nest.flatten([call.call_args, call.call_kwargs])
        if not _is_keras_tensor(argument)
        and not isinstance(argument, (str, type(None), tf.DType))
    ]
    scalar = all(np.ndim(constant) == 0 for constant in constants)
    if symbol in _UNARY_OPS and len(inputs) == 1:
        output = unary(trace, layer, inputs, call)[0]
        zero = output.zero and _UNARY_OPS[symbol]
        return [Channels(output.numbers, output.shape, zero)]
    if scalar and symbol in _ADDITIVE_OPS:
        unshifted = all(float(constant) == 0.0 for constant in constants)
        zero = unshifted and all(source.zero for source in inputs)
        return _join(trace, inputs, call, zero)
    if scalar and symbol in _MULTIPLICATIVE_OPS:
        return multiply(trace, layer, inputs, call)
    divided = call.call_args and _is_keras_tensor(call.call_args[0])
    if scalar and symbol in _DIVISIVE_OPS and len(inputs) == 1 and divided:
        return unary(trace, layer, inputs, call)
    return untraceable(trace, layer, inputs, call, f"the function tf.{symbol}")
