import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import masks, tf_masks

# whole numbers, so that sums are exact in any order and ties are frequent
kernels = st.builds(
    lambda shape, seed: (
        np.random.default_rng(seed).integers(-20, 20, shape).astype(np.float32)
    ),
    st.tuples(st.sampled_from([1, 9]), st.integers(1, 12), st.integers(1, 40)),
    st.integers(0, 2**32 - 1),
)
sparsities = st.floats(0, 1, exclude_max=True, width=32)


@given(
    kernels,
    st.sampled_from([1, 2, 4, 16]),
    sparsities,
    st.booleans(),
    st.sampled_from(["l1", "l2"]),
)
def test_block_masks_equal_those_of_numpy(kernel, n, sparsity, uniform, saliency):
    function = tf_masks.block_mask_function(n, uniform, saliency)
    expected = masks.block_mask(kernel, n, sparsity, uniform=uniform, saliency=saliency)
    actual = function(tf.constant(kernel), tf.constant(sparsity, tf.float32))
    np.testing.assert_array_equal(actual, expected)


@given(kernels, sparsities, st.sampled_from(["l1", "l2"]))
def test_weight_masks_equal_those_of_numpy(kernel, sparsity, saliency):
    function = tf_masks.weight_mask_function(saliency)
    expected = masks.weight_mask(kernel, sparsity, saliency=saliency)
    actual = function(tf.constant(kernel), tf.constant(sparsity, tf.float32))
    np.testing.assert_array_equal(actual, expected)


def test_one_trace_serves_all_shapes():
    function = tf_masks.block_mask_function(4, False, "l1")
    for shape in [(1, 8, 16), (9, 3, 7), (1, 320, 1280)]:
        function(tf.ones(shape), tf.constant(0.5))
    assert function.experimental_get_tracing_count() == 1
