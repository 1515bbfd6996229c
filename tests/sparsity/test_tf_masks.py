import math

import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import blocks, tf_masks
from tfmot_onexn.sparsity.masks import Pattern
from tfmot_onexn.sparsity.regrow import Regrowth

# whole numbers, so that sums are exact in any order and ties are frequent
kernels = st.builds(
    lambda shape, seed: (
        np.random.default_rng(seed).integers(-20, 20, shape).astype(np.float32)
    ),
    st.tuples(st.sampled_from([1, 9]), st.integers(1, 12), st.integers(1, 40)),
    st.integers(0, 2**32 - 1),
)
patterns = st.builds(
    Pattern,
    granularity=st.sampled_from(["block", "weight"]),
    n=st.sampled_from([1, 2, 4, 16]),
    uniform=st.booleans(),
    saliency=st.sampled_from(["l1", "l2"]),
)
sparsities = st.floats(0, 1, exclude_max=True, width=32)


@given(kernels, patterns, sparsities)
def test_masks_and_thresholds_equal_those_of_numpy(kernel, pattern, sparsity):
    mask, threshold = tf_masks.mask_function(pattern)(kernel, np.float32(sparsity))
    expected = pattern.mask(kernel, sparsity)
    np.testing.assert_array_equal(mask, expected)
    assert float(threshold) == pattern.threshold(kernel, expected)


@given(kernels, patterns, sparsities, st.sampled_from([2, 3]))
def test_groups_are_those_of_numpy(kernel, pattern, sparsity, groups):
    kernel = np.concatenate([kernel] * groups, axis=-1)
    function = tf_masks.mask_function(pattern, groups)
    mask, threshold = function(kernel, np.float32(sparsity))
    expected = pattern.mask(kernel, sparsity, groups)
    np.testing.assert_array_equal(mask, expected)
    assert float(threshold) == pattern.threshold(kernel, expected, groups)


def test_one_trace_serves_all_shapes():
    function = tf_masks.mask_function(Pattern(n=3))
    for shape in [(1, 8, 16), (9, 3, 7), (1, 320, 1280)]:
        function(tf.ones(shape), tf.constant(0.5))
    assert function.experimental_get_tracing_count() == 1


regrowths = st.builds(
    Regrowth,
    n=st.sampled_from([1, 2, 4, 16]),
    criterion=st.sampled_from(["bpar", "l1", "l2"]),
    alpha=st.sampled_from([0.0, 0.5]),
    temperature=st.sampled_from([0.01, 1.0, math.inf]),
    normalization=st.sampled_from(["standard", "l2"]),
    latent=st.booleans(),
)


@given(
    kernels,
    regrowths,
    st.sampled_from([1, 3]),
    sparsities,
    sparsities,
    st.integers(0, 99),
)
def test_regrown_masks_equal_those_of_numpy(kernel, regrowth, groups, one, other, key):
    kernel = np.concatenate([kernel] * groups, axis=-1)
    rng = np.random.default_rng(key)
    # no two scores alike, which the order of sums would decide
    kernel = kernel + rng.normal(size=kernel.shape).astype(np.float32)
    rows = len(blocks.block_starts(kernel.shape[-1], regrowth.n, groups))
    kept_ir = rng.random((kernel.shape[1], rows)) < 0.7
    kept = blocks.expand_blocks(kept_ir, kernel.shape, regrowth.n, groups)
    now, final = sorted([np.float32(one), np.float32(other)])
    noise = tf_masks.noise([kernel.shape[1], rows], key, 7).numpy()
    function = tf_masks.regrow_function(regrowth, groups)
    mask, lowest = function(kernel, kept.astype(np.float32), now, final, key, 7)
    expected, expected_lowest = regrowth.mask(
        kernel, kept, float(now), float(final), noise, groups
    )
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_allclose(lowest, expected_lowest, rtol=1e-5, atol=1e-6)


def test_noise_depends_on_key_and_step_and_is_uniform():
    one = tf_masks.noise([400, 100], 5, 1).numpy()
    np.testing.assert_array_equal(tf_masks.noise([400, 100], 5, 1), one)
    for key, step in ((6, 1), (5, 2)):
        assert abs(np.corrcoef(one.ravel(), _noise(key, step))[0, 1]) < 0.02
    assert (one.min() >= 0, one.max() < 1) == (True, True)
    np.testing.assert_allclose(np.histogram(one, 10)[0] / one.size, 0.1, atol=0.01)


def _noise(key, step):
    return tf_masks.noise([400, 100], key, step).numpy().ravel()


def test_one_regrowing_trace_serves_all_shapes():
    function = tf_masks.regrow_function(Regrowth(n=3))
    for shape in [(1, 8, 16), (9, 3, 7)]:
        function(tf.ones(shape), tf.ones(shape), 0.25, 0.5, 1, 2)
    assert function.experimental_get_tracing_count() == 1
