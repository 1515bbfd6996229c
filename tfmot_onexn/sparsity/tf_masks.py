"""The masks of `masks` in TensorFlow ops, for updates inside a training graph.

Each function is traced once for all kernel shapes, so that a network of many layers
adds one call per layer to its graph. Tested equal to `masks`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

_CONTRIBUTIONS = {"l1": tf.abs, "l2": tf.square}


def _keep_largest(scores: tf.Tensor, sparsity: tf.Tensor) -> tf.Tensor:
    """Marks the largest scores of each row, of equal ones the first."""
    count = tf.cast(tf.shape(scores)[-1], tf.float32)
    kept = tf.cast(tf.maximum(tf.round(count * (1.0 - sparsity)), 1.0), tf.int32)
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    return tf.argsort(order) < kept


@functools.cache
def block_mask_function(n: int, uniform: bool, saliency: str) -> Callable:
    """Returns the function ``(kernel [window, in, out], sparsity []) -> mask``.

    The mask is float32 in the kernel's shape, 1 where a weight stays. See
    `masks.block_mask` for the meaning of the arguments.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None], tf.float32),
            tf.TensorSpec([], tf.float32),
        ],
        autograph=False,
    )
    def block_mask(kernel_wio, sparsity):
        shape = tf.shape(kernel_wio)
        in_channels, out_channels = shape[1], shape[2]
        scores = tf.reduce_sum(_CONTRIBUTIONS[saliency](kernel_wio), axis=0)
        rows = -(-out_channels // n)
        scores = tf.pad(scores, [[0, 0], [0, rows * n - out_channels]])
        scores_ir = tf.reduce_sum(tf.reshape(scores, [in_channels, rows, n]), axis=2)
        if uniform:
            kept_ir = tf.transpose(_keep_largest(tf.transpose(scores_ir), sparsity))
        else:
            flat = _keep_largest(tf.reshape(scores_ir, [-1]), sparsity)
            kept_ir = tf.reshape(flat, [in_channels, rows])
        kept_io = tf.repeat(kept_ir, n, axis=1)[:, :out_channels]
        return tf.broadcast_to(tf.cast(kept_io, tf.float32), shape)

    return block_mask


@functools.cache
def weight_mask_function(saliency: str) -> Callable:
    """Returns ``(weights [...], sparsity []) -> mask`` for single weights."""

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float32),
            tf.TensorSpec([], tf.float32),
        ],
        autograph=False,
    )
    def weight_mask(weights, sparsity):
        scores = tf.reshape(_CONTRIBUTIONS[saliency](weights), [-1])
        mask = tf.cast(_keep_largest(scores, sparsity), tf.float32)
        return tf.reshape(mask, tf.shape(weights))

    return weight_mask
