import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import tf_masks
from tfmot_onexn.sparsity.masks import Pattern

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
