"""Keras 3's functions on tensors, and activations, in TensorFlow."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """Keras 3's: relu6(x + 3) / 6; that of `tf_keras` has another slope."""
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def hard_silu(x: tf.Tensor) -> tf.Tensor:
    """x · hard_sigmoid(x), which TFLite's converter writes as one HARD_SWISH."""
    return x * hard_sigmoid(x)


# activations by Keras 3's names that tf_keras does not have or computes otherwise
ACTIVATIONS: dict[str, Callable] = {
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_silu,
}

_FUNCTIONS: dict[str, Callable] = {
    "Absolute": tf.abs,
    "Add": tf.add,
    "Divide": tf.divide,
    "Exp": tf.exp,
    "GetItem": lambda x, key: x[key],
    "HardSigmoid": hard_sigmoid,
    "HardSilu": hard_silu,
    "Maximum": tf.maximum,
    "Minimum": tf.minimum,
    "Multiply": tf.multiply,
    "Negative": tf.negative,
    "Relu": tf.nn.relu,
    "Relu6": tf.nn.relu6,
    "Sigmoid": tf.sigmoid,
    "Silu": tf.nn.silu,
    "Square": tf.square,
    "Subtract": tf.subtract,
    "Tanh": tf.tanh,
    "TrueDivide": tf.divide,
}
# with settings of their own
_WITH_SETTINGS: dict[str, Callable[[Any], Callable]] = {
    "Concatenate": lambda op: lambda xs: tf.concat(xs, op.axis),
    "Gelu": lambda op: lambda x: tf.nn.gelu(x, op.approximate),
    "Max": lambda op: lambda x: tf.reduce_max(x, op.axis, op.keepdims),
    "Mean": lambda op: lambda x: tf.reduce_mean(x, op.axis, op.keepdims),
    "Reshape": lambda op: lambda x: tf.reshape(x, op.newshape),
}
SUPPORTED = sorted({*_FUNCTIONS, *_WITH_SETTINGS})


def translated(operation: Any) -> Callable | None:
    """Returns the TensorFlow function for a Keras 3 operation, or None."""
    kind = type(operation).__name__
    if kind in _WITH_SETTINGS:
        return _WITH_SETTINGS[kind](operation)
    return _FUNCTIONS.get(kind)
