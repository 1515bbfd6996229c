"""The masks of `masks` in TensorFlow ops, for updates inside a training graph.

A function is traced once for all kernel shapes, so that a network of many layers adds
one call per layer to its graph. Tested equal to `masks`.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

from tfmot_onexn.sparsity.masks import Pattern
from tfmot_onexn.sparsity.regrow import Regrowth

_CONTRIBUTIONS = {"l1": tf.abs, "l2": tf.square}
_KERNEL = tf.TensorSpec([None, None, None], tf.float32)
_SCALAR = tf.TensorSpec([], tf.float32)
_WHOLE_NUMBER = tf.TensorSpec([], tf.int64)


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
    kept = _rank(ranked) < _kept_count(ranked, sparsity)
    kept = tf.transpose(kept) if uniform else tf.reshape(kept, tf.shape(scores))
    threshold = tf.reduce_min(tf.where(kept, scores, scores.dtype.max))
    return tf.cast(kept, tf.float32), threshold


def noise(shape, key: int, step: int) -> tf.Tensor:
    """Returns uniform noise in [0, 1) that depends on nothing but the arguments.

    It is the same on every device, but code that XLA compiles has noise of its own.
    """
    seed = tf.stack([tf.cast(key, tf.int64), tf.cast(step, tf.int64)])
    return tf.random.stateless_uniform(shape, seed, alg="philox")


@functools.cache
def regrow_function(regrowth: Regrowth, groups: int = 1) -> Callable:
    """Returns `Regrowth.mask` for kernels and masks ``[window, in, out]``.

    It maps ``(kernel, mask, sparsity [], final sparsity [], noise key [], step [])`` to
    the mask, float32 in the kernel's shape, and the lowest score kept.
    """

    @tf.function(
        input_signature=[
            *(_KERNEL, _KERNEL, _SCALAR, _SCALAR, _WHOLE_NUMBER, _WHOLE_NUMBER)
        ],
        autograph=False,
    )
    def regrown(kernel_wio, mask_wio, sparsity, final_sparsity, key, step):
        scores_ri = _scores(regrowth, kernel_wio, mask_wio, groups)
        final = _kept_count(scores_ri, final_sparsity)
        count = tf.maximum(final, _kept_count(scores_ri, sparsity))
        stays_ri = _rank(scores_ri) < final
        chances_ri = _chances(regrowth, scores_ri, ~stays_ri)
        uniform = tf.transpose(noise(tf.reverse(tf.shape(scores_ri), [0]), key, step))
        lot_ri = chances_ri - tf.math.log(-tf.math.log(uniform))
        kept_ri = _rank(tf.where(stays_ri, lot_ri.dtype.max, lot_ri)) < count
        threshold = tf.reduce_min(tf.where(kept_ri, scores_ri, scores_ri.dtype.max))
        kept_ir = tf.cast(tf.transpose(kept_ri), tf.float32)
        kept_io = _expand_blocks(kept_ir, tf.shape(kernel_wio), regrowth.n, groups)
        return tf.broadcast_to(kept_io, tf.shape(kernel_wio)), threshold

    return regrown


def _scores(
    regrowth: Regrowth, kernel_wio: tf.Tensor, mask_wio: tf.Tensor, groups: int
) -> tf.Tensor:
    """Returns `Regrowth.scores`, transposed."""
    kept_wio = kernel_wio * mask_wio
    scored_wio = kernel_wio if regrowth.latent else kept_wio
    l2 = regrowth.criterion == "l2"
    sums_ir = _sum_blocks(
        _CONTRIBUTIONS["l2" if l2 else "l1"](scored_wio), regrowth.n, groups
    )
    if regrowth.criterion != "bpar":
        return tf.transpose(tf.sqrt(sums_ir) if l2 else sums_ir)
    vectors_ril = _block_vectors(kept_wio, regrowth.n, groups)
    # row by row: the cosines of a large layer would not fit in memory together
    shares_ri = _share(tf.map_fn(_summed_cosines, vectors_ril))
    shares_ri = tf.where(tf.equal(shares_ri, 0), 1.0, shares_ri)
    return _share(tf.transpose(sums_ir)) - regrowth.alpha * shares_ri


def _summed_cosines(vectors: tf.Tensor) -> tf.Tensor:
    lengths = tf.sqrt(tf.reduce_sum(tf.square(vectors), axis=1, keepdims=True))
    units = tf.math.divide_no_nan(vectors, lengths)
    return tf.reduce_sum(tf.abs(tf.matmul(units, units, transpose_b=True)), axis=1)


def _share(values_ri: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(
        values_ri, tf.reduce_sum(values_ri, axis=1, keepdims=True)
    )


def _chances(
    regrowth: Regrowth, scores_ri: tf.Tensor, pruned_ri: tf.Tensor
) -> tf.Tensor:
    values = tf.where(pruned_ri, scores_ri, 0.0)
    count = tf.reduce_sum(tf.cast(pruned_ri, tf.float32), axis=1, keepdims=True)
    if regrowth.normalization == "standard":
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(values, axis=1, keepdims=True), count
        )
        values = tf.where(pruned_ri, values - mean, 0.0)
    scale = tf.sqrt(tf.reduce_sum(tf.square(values), axis=1, keepdims=True))
    if regrowth.normalization == "standard":
        scale = tf.math.divide_no_nan(scale, tf.sqrt(count))
    return tf.math.divide_no_nan(values, scale) / regrowth.temperature


def _block_vectors(kernel_wio: tf.Tensor, n: int, groups: int) -> tf.Tensor:
    """Returns the weights of each block ``[rows, in, window * n]``."""
    shape = tf.shape(kernel_wio)
    in_channels, width = shape[1], shape[2] // groups
    rows = -(-width // n)
    kernel_wigo = tf.reshape(kernel_wio, [-1, in_channels, groups, width])
    kernel_wigo = tf.pad(kernel_wigo, [*[[0, 0]] * 3, [0, rows * n - width]])
    vectors_wirn = tf.reshape(kernel_wigo, [-1, in_channels, groups * rows, n])
    vectors_riwn = tf.transpose(vectors_wirn, [2, 1, 0, 3])
    return tf.reshape(vectors_riwn, [groups * rows, in_channels, shape[0] * n])


def _kept_count(scores_ri: tf.Tensor, sparsity: tf.Tensor) -> tf.Tensor:
    count = tf.cast(tf.shape(scores_ri)[1], tf.float32)
    return tf.cast(tf.maximum(tf.round(count * (1.0 - sparsity)), 1.0), tf.int32)


def _rank(values_ri: tf.Tensor) -> tf.Tensor:
    """Returns each value's place in its row, 0 for the largest, ties in order."""
    order = tf.argsort(values_ri, direction="DESCENDING", stable=True)
    return tf.argsort(order)
