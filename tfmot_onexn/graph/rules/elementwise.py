"""Layers that treat every channel alike, or by a weight of its own."""

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.applications import convnext

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.channel_groups import Channels
from tfmot_onexn.graph.rules.registry import channels_last, rule, same, untraceable

layers = tf_keras.layers

_ACTIVATIONS = (
    *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", "linear", "mish"),
    *("relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "swish"),
    "tanh",
)


def _is_known_activation(function) -> bool:
    if type(function) in (layers.ReLU, layers.LeakyReLU, layers.ELU):
        return True
    known = [getattr(tf_keras.activations, name, None) for name in _ACTIVATIONS]
    known += [getattr(tf.nn, name, None) for name in _ACTIVATIONS]
    known += [tf.tanh, tf.sigmoid, tf.identity]
    return any(function is candidate for candidate in known if candidate)


def activated(trace, layer, source: Channels) -> Channels:
    """Passes channels through a layer's ``activation``, a function or a layer."""
    function = layer.activation
    if function in (tf_keras.activations.softmax, tf.nn.softmax):
        trace.keep(source.numbers, f"{layer.name} divides by a sum over all channels")
        return Channels(source.numbers, source.shape, zero=False)
    if function is not None and not _is_known_activation(function):
        name = getattr(function, "__name__", type(function).__name__)
        why = f"{layer.name} has the activation {name}, which may mix channels"
        if why not in trace.untraced:
            trace.untraced.append(why)
        trace.pin(source.numbers, why)
        return source
    keeps_zero = function is None or float(function(tf.zeros([1]))[0]) == 0.0
    return Channels(source.numbers, source.shape, source.zero and keeps_zero)


@rule(layers.Activation)
def activation(trace, layer, inputs, call):
    """Channels pass through a known activation; others pin them."""
    return [activated(trace, layer, inputs[0])]


@rule(layers.Softmax)
def softmax(trace, layer, inputs, call):
    """Channels pass in any order; none can be removed, as all share one sum."""
    trace.keep(inputs[0].numbers, f"{layer.name} divides by a sum over all channels")
    return same(call, inputs[0], zero=False)


@rule(
    layers.ReLU,
    layers.LeakyReLU,
    layers.ELU,
    layers.ThresholdedReLU,
    layers.Dropout,
    layers.AlphaDropout,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.ActivityRegularization,
    layers.Identity,
    layers.Masking,
    convnext.StochasticDepth,
)
def unary(trace, layer, inputs, call):
    """Channels pass."""
    return same(call, inputs[0])


@rule(
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
    layers.Resizing,
    layers.CenterCrop,
    layers.RandomCrop,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.RandomHeight,
    layers.RandomWidth,
)
def spatial(trace, layer, inputs, call):
    """Channels pass; only positions change."""
    if not channels_last(layer):
        return untraceable(trace, layer, inputs, call, "channels_first")
    return same(call, inputs[0])


@rule(layers.Rescaling)
def rescaling(trace, layer, inputs, call):
    """Channels pass; with one scale per channel they stay in place."""
    if np.ndim(layer.scale) or np.ndim(layer.offset):
        trace.pin(inputs[0].numbers, f"{layer.name} has a scale for each channel")
    return same(call, inputs[0], zero=not np.any(layer.offset))


@rule(layers.PReLU)
def prelu(trace, layer, inputs, call):
    """Channels pass, each with its slopes."""
    if layer.alpha.shape[-1] == inputs[0].numbers.size:
        last = len(layer.alpha.shape) - 1
        trace.attach(layer, layer.alpha, last, cg.ELEMENTWISE, inputs[0].numbers)
    return same(call, inputs[0])


@rule(convnext.LayerScale)
def layer_scale(trace, layer, inputs, call):
    """Channels pass, each with its factor."""
    trace.attach(layer, layer.gamma, 0, cg.ELEMENTWISE, inputs[0].numbers)
    # the number of factors is a setting that no other layer shares
    trace.keep(inputs[0].numbers, f"{layer.name} has a fixed number of factors")
    return same(call, inputs[0])
