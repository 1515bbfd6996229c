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
def mask_function(pattern: Pattern, groups: int = 1) -> Callable:
    """Returns ``(kernel [window, in, out], sparsity []) -> (mask, threshold)``.

    The mask is float32 in the kernel's shape, 1 where a weight stays; the threshold is
    the smallest saliency kept. See `masks.Pattern`; ``groups`` are those of a grouped
    convolution.
    """

    @tf.function(input_signature=[_KERNEL, _SCALAR], autograph=False)
    def masked(kernel_wio, sparsity):
        scores = _CONTRIBUTIONS[pattern.saliency](kernel_wio)
        if pattern.granularity == "weight":
            return _keep_largest(scores, sparsity, uniform=False)
        scores_ir = _sum_blocks(scores, pattern.n, groups)
        kept_ir, threshold = _keep_largest(scores_ir, sparsity, pattern.uniform)
        kept_io = _expand_blocks(kept_ir, tf.shape(kernel_wio), pattern.n, groups)
        return tf.broadcast_to(kept_io, tf.shape(kernel_wio)), threshold

    return masked


def _sum_blocks(scores_wio: tf.Tensor, n: int, groups: int) -> tf.Tensor:
    shape = tf.shape(scores_wio)
    in_channels, width = shape[1], shape[2] // groups
    rows = -(-width // n)
    scores = tf.reshape(tf.reduce_sum(scores_wio, axis=0), [in_channels, groups, width])
    scores = tf.pad(scores, [[0, 0], [0, 0], [0, rows * n - width]])
    return tf.reduce_sum(tf.reshape(scores, [in_channels, groups * rows, n]), axis=2)


def _expand_blocks(
    values_ir: tf.Tensor, kernel_shape: tf.Tensor, n: int, groups: int
) -> tf.Tensor:
    in_channels, out_channels = kernel_shape[1], kernel_shape[2]
    values = tf.reshape(tf.repeat(values_ir, n, axis=1), [in_channels, groups, -1])
    in_group = values[:, :, : out_channels // groups]
    return tf.reshape(in_group, [in_channels, out_channels])


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
