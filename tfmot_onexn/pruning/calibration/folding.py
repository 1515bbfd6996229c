"""A kernel and its BatchNormalization as one linear map, and back."""

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import tf_keras

Layer: TypeAlias = tf_keras.layers.Layer
# kernel ``[K, M]`` -> mean and variance ``[M]`` of what it makes, without a bias
Moments: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Linear:
    """What a unit computes before its activation.

    Attributes:
      kernel_km: ``[K, M]``, or the taps ``[kh * kw, C]`` of a depthwise convolution.
      bias_m: ``[M]``.
    """

    kernel_km: np.ndarray
    bias_m: np.ndarray


def kernel_of(layer: Layer) -> np.ndarray:
    """Returns a layer's kernel as ``[K, M]``, or its taps as ``[kh * kw, C]``."""
    variable = _kernel_variable(layer)
    return variable.numpy().reshape(-1, _num_outputs(layer))


def fold(layer: Layer, norm: Layer | None) -> Linear:
    """Returns the map of a layer and the BatchNormalization after it, in float32."""
    kernel_km, bias_m = kernel_of(layer), _bias_of(layer)
    if norm is not None:
        scale_m, offset_m = scale_and_offset(norm)
        kernel_km, bias_m = kernel_km * scale_m, bias_m * scale_m + offset_m
    return Linear(kernel_km.astype(np.float32), bias_m.astype(np.float32))


def scale_and_offset(norm: Layer) -> tuple[np.ndarray, np.ndarray]:
    """Returns what a BatchNormalization multiplies by and adds ``[M]``."""
    scale_m = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    if norm.scale:
        scale_m = scale_m * norm.gamma.numpy()
    offset_m = -norm.moving_mean.numpy() * scale_m
    if norm.center:
        offset_m = offset_m + norm.beta.numpy()
    return scale_m, offset_m


def unfold(
    layer: Layer,
    norm: Layer | None,
    linear: Linear,
    moments: Moments,
    scale_m: np.ndarray | None = None,
) -> None:
    """Gives a layer and its BatchNormalization the weights that compute a map.

    The statistics of the BatchNormalization become those of what it reads, so that
    training finds in its batches what inference assumes.

    Args:
      layer: is changed.
      norm: is changed.
      linear: the map; its bias is left out if there is nothing to hold it.
      moments: of the inputs at hand.
      scale_m: of the BatchNormalization, by default what it is.
    """
    kernel_km = linear.kernel_km
    if norm is None:
        _assign_kernel(layer, kernel_km)
        if layer.use_bias:
            layer.bias.assign(linear.bias_m)
        return
    if scale_m is None:
        scale_m, _ = scale_and_offset(norm)
    alive = np.abs(scale_m) > 1e-12
    divided = kernel_km / np.where(alive, scale_m, 1)
    # a channel that the scale makes constant keeps what it has, where that is kept
    kernel_km = np.where(alive, divided, kernel_of(layer) * (kernel_km != 0))
    _assign_kernel(layer, kernel_km)
    bias_m = _bias_of(layer)
    mean_m, variance_m = moments(kernel_km)
    _set_normalization(
        norm, scale_m, linear.bias_m - bias_m * scale_m, mean_m + bias_m, variance_m
    )


def _set_normalization(
    norm: Layer,
    scale_m: np.ndarray,
    offset_m: np.ndarray,
    mean_m: np.ndarray,
    variance_m: np.ndarray,
) -> None:
    """Lets a BatchNormalization compute ``scale * x + offset`` with given statistics.

    One without gamma or beta takes the variance or the mean that the map needs.
    """
    if norm.scale:
        norm.gamma.assign(scale_m * np.sqrt(variance_m + norm.epsilon))
    else:
        variance_m = np.maximum(1 / scale_m**2 - norm.epsilon, 0)
    if norm.center:
        norm.beta.assign(offset_m + scale_m * mean_m)
    else:
        mean_m = -offset_m / np.where(scale_m == 0, 1, scale_m)
    norm.moving_mean.assign(mean_m)
    norm.moving_variance.assign(variance_m)


def _kernel_variable(layer: Layer):
    depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    return layer.depthwise_kernel if depthwise else layer.kernel


def _num_outputs(layer: Layer) -> int:
    variable = _kernel_variable(layer)
    depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
    return variable.shape[-2] if depthwise else variable.shape[-1]


def _assign_kernel(layer: Layer, kernel_km: np.ndarray) -> None:
    variable = _kernel_variable(layer)
    variable.assign(kernel_km.reshape(variable.shape))


def _bias_of(layer: Layer) -> np.ndarray:
    if layer.use_bias:
        return layer.bias.numpy()
    return np.zeros(_num_outputs(layer), np.float32)
