"""The masks of `masks` in TensorFlow ops, for updates inside a training graph.

A function is traced once for all kernel shapes, so that a network of many layers adds
one call per layer to its graph. Tested equal to `masks`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfmot_onexn.sparsity.masks import Pattern

_CONTRIBUTIONS = {"l1": tf.abs, "l2": tf.square}
_KERNEL = tf.TensorSpec([None, None, None], tf.float32)
_SCALAR = tf.TensorSpec([], tf.float32)


@functools.cache
def mask_function(pattern: Pattern) -> Callable:
    """Returns ``(kernel [window, in, out], sparsity []) -> (mask, threshold)``.

    The mask is float32 in the kernel's shape, 1 where a weight stays; the threshold is
    the smallest saliency kept. See `masks.Pattern`.
    """

    @tf.function(input_signature=[_KERNEL, _SCALAR], autograph=False)
    def masked(kernel_wio, sparsity):
        scores = _CONTRIBUTIONS[pattern.saliency](kernel_wio)
        if pattern.granularity == "weight":
            return _keep_largest(scores, sparsity, uniform=False)
        scores_ir = _sum_blocks(scores, pattern.n)
        kept_ir, threshold = _keep_largest(scores_ir, sparsity, pattern.uniform)
        kept_io = tf.repeat(kept_ir, pattern.n, axis=1)[:, : tf.shape(kernel_wio)[2]]
        return tf.broadcast_to(kept_io, tf.shape(kernel_wio)), threshold

    return masked


def _sum_blocks(scores_wio: tf.Tensor, n: int) -> tf.Tensor:
    shape = tf.shape(scores_wio)
    in_channels, out_channels = shape[1], shape[2]
    rows = -(-out_channels // n)
    scores = tf.reduce_sum(scores_wio, axis=0)
    scores = tf.pad(scores, [[0, 0], [0, rows * n - out_channels]])
    return tf.reduce_sum(tf.reshape(scores, [in_channels, rows, n]), axis=2)


def _keep_largest(scores: tf.Tensor, sparsity: tf.Tensor, uniform: bool):
    """Marks the largest scores, of each column if uniform; of equal ones the first."""
    ranked = tf.transpose(scores) if uniform else tf.reshape(scores, [1, -1])
    count = tf.cast(tf.shape(ranked)[1], tf.float32)
    kept_count = tf.cast(tf.maximum(tf.round(count * (1.0 - sparsity)), 1.0), tf.int32)
    order = tf.argsort(ranked, direction="DESCENDING", stable=True)
    kept = tf.argsort(order) < kept_count
    kept = tf.transpose(kept) if uniform else tf.reshape(kept, tf.shape(scores))
    threshold = tf.reduce_min(tf.where(kept, scores, scores.dtype.max))
    return tf.cast(kept, tf.float32), threshold
