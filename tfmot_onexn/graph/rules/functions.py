"""TensorFlow functions called on Keras tensors, as Keras' MobileNetV3 does."""

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.joining import concatenated, join
from tfmot_onexn.graph.rules.moving import reshaped
from tfmot_onexn.graph.rules.registry import rule, same, untraceable

tf_op_layer = tf_keras.src.layers.core.tf_op_layer

# by the names that TensorFlow exports; a value of 0 stays 0 or does not
_UNARY = {
    **dict.fromkeys(("identity", "cast", "stop_gradient", "nn.dropout"), True),
    **dict.fromkeys(("nn.relu", "nn.relu6", "nn.leaky_relu", "nn.elu"), True),
    **dict.fromkeys(("nn.silu", "nn.swish", "nn.gelu", "nn.selu"), True),
    **dict.fromkeys(("math.tanh", "math.negative", "math.abs"), True),
    **dict.fromkeys(("math.square", "math.sqrt"), True),
    **dict.fromkeys(("math.sigmoid", "math.exp", "math.softplus"), False),
}
_SPATIAL = {
    *("nn.avg_pool2d", "nn.max_pool2d", "nn.avg_pool", "nn.max_pool"),
    *("image.resize", "compat.v1.pad"),
}
_ADDITIVE = {
    *("__operators__.add", "math.add", "math.subtract"),
    *("math.maximum", "math.minimum"),
}
_MULTIPLICATIVE = {"math.multiply", "__operators__.mul"}
_DIVISIVE = {"math.truediv", "math.divide", "__operators__.truediv"}
_REDUCTIONS = {"math.reduce_mean", "math.reduce_max"}


def _is_keras_tensor(value) -> bool:
    return hasattr(value, "_keras_history")


def _constants(call) -> list:
    """Returns the numbers and arrays among a call's arguments."""
    return [
        argument
        for argument in tf.nest.flatten([call.args, call.kwargs])
        if not _is_keras_tensor(argument)
        and not isinstance(argument, (str, type(None), tf.DType))
    ]


def _argument(call, position: int, name: str, default=None):
    if name in call.kwargs:
        return call.kwargs[name]
    return call.args[position] if len(call.args) > position else default


@rule(tf_op_layer.TFOpLambda)
def function(trace, layer, inputs, call):
    """Arithmetic, activations, pooling, concat, split and means pass channels.

    A number for each channel pins them.
    """
    symbol = layer.symbol or ""
    if symbol in _UNARY and len(inputs) == 1:
        return same(call, inputs[0], zero=_UNARY[symbol])
    if symbol in _SPATIAL and _keeps_channels(call, inputs[0]):
        return same(call, inputs[0])
    if symbol in _ADDITIVE | _MULTIPLICATIVE | _DIVISIVE:
        return _arithmetic(trace, layer, inputs, call, symbol)
    if symbol == "concat":
        return concatenated(trace, inputs, call, int(_argument(call, 1, "axis")))
    if symbol == "reshape":
        return _reshape(trace, layer, inputs, call)
    if symbol in _REDUCTIONS:
        return _reduction(trace, layer, inputs, call)
    if symbol == "split":
        return _split(trace, layer, inputs, call)
    return untraceable(trace, layer, inputs, call, f"the function tf.{symbol}")


def _keeps_channels(call, source: Channels) -> bool:
    """Returns whether pooling or padding leaves the channel axis alone."""
    named = _argument(call, 99, "data_format", "NHWC")
    return named == "NHWC" and call.shapes[0][-1] == source.shape[-1]


def _arithmetic(trace, layer, inputs, call, symbol: str) -> list[Channels]:
    constants = [np.asarray(constant) for constant in _constants(call)]
    for source in inputs:
        if any(constant.ndim and constant.shape[-1] > 1 for constant in constants):
            reason = f"{layer.name} has a number for each channel"
            trace.pin(source.numbers, reason)
    if call.shapes[0][-1] != max(source.numbers.size for source in inputs):
        return untraceable(trace, layer, inputs, call, "broadcasts channels")
    if symbol in _ADDITIVE:
        unshifted = not any(constant.any() for constant in constants)
        zero = unshifted and all(source.zero for source in inputs)
    elif symbol in _MULTIPLICATIVE:
        wide = max(source.numbers.size for source in inputs)
        zero = any(source.zero for source in inputs if source.numbers.size == wide)
    else:
        dividend = call.args[0] if call.args else None
        zero = len(inputs) == 1 and _is_keras_tensor(dividend) and inputs[0].zero
    return join(trace, inputs, call, zero)


def _reshape(trace, layer, inputs, call) -> list[Channels]:
    (source,) = inputs[:1]
    (shape,) = call.shapes
    numbers = reshaped(source, shape) if len(inputs) == 1 else None
    if numbers is None:
        return untraceable(trace, layer, inputs, call, "splits or mixes channels")
    trace.keep(numbers, f"{layer.name} reshapes to a fixed number of channels")
    return [Channels(numbers, shape, source.zero)]


def _reduction(trace, layer, inputs, call) -> list[Channels]:
    axes = _argument(call, 1, "axis")
    rank = len(inputs[0].shape)
    over = range(rank) if axes is None else np.atleast_1d(axes) % rank
    if 0 in over or rank - 1 in over:
        return untraceable(trace, layer, inputs, call, "reduces over all channels")
    return same(call, inputs[0])


def _split(trace, layer, inputs, call) -> list[Channels]:
    (source,) = inputs
    shapes = call.shapes
    widths = [shape[-1] or 0 for shape in shapes]
    if sum(widths) != source.numbers.size:
        # divided along another axis
        return [Channels(source.numbers, shape, source.zero) for shape in shapes]
    trace.keep(source.numbers, f"{layer.name} takes fixed numbers of channels")
    parts = np.split(source.numbers, np.cumsum(widths)[:-1])
    for part in parts:
        trace.separate(part)
    return [
        Channels(part, shape, source.zero)
        for part, shape in zip(parts, shapes, strict=True)
    ]


@rule(tf_op_layer.SlicingOpLambda)
def slicing(trace, layer, inputs, call):
    """A slice of positions passes; channels of a slice move among themselves."""
    (source,) = inputs[:1]
    numbers = _sliced(call, source)
    (shape,) = call.shapes
    if len(inputs) > 1 or numbers is None or shape[-1:] != numbers.shape:
        return untraceable(trace, layer, inputs, call, "takes single channels")
    if numbers.size < source.numbers.size:
        trace.separate(numbers)
        trace.keep(source.numbers, f"{layer.name} takes a fixed number of channels")
    elif not (numbers == source.numbers).all():
        return untraceable(trace, layer, inputs, call, "turns channels around")
    return [Channels(numbers, shape, source.zero)]


def _sliced(call, source: Channels) -> np.ndarray | None:
    """Returns the channel numbers that a slice takes, or None if it drops the axis."""
    items = call.args[1]
    items = [
        _as_slice(item) for item in (items if isinstance(items, tuple) else [items])
    ]
    if any(not isinstance(item, (slice, int, type(...))) for item in items):
        return None
    rank = len(source.shape)
    if ... in items:
        at = items.index(...)
        items[at : at + 1] = [slice(None)] * (rank - len(items) + 1)
    last = items[rank - 1] if len(items) == rank else slice(None)
    return source.numbers[last] if isinstance(last, slice) else None


def _as_slice(item):
    """Returns Keras' record of a slice as a slice, anything else as it is."""
    if not isinstance(item, dict):
        return item
    ends = [item["start"], item["stop"], item["step"]]
    return slice(*ends) if not any(map(_is_keras_tensor, ends)) else None
