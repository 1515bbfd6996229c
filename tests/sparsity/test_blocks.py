import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import blocks

shapes = st.one_of(
    st.tuples(st.integers(1, 6), st.integers(1, 20)),
    st.tuples(*[st.integers(1, 3)] * 2, st.integers(1, 5), st.integers(1, 20)),
)


@given(shapes, st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_sum_blocks_adds_every_weight_of_a_block(shape, n, seed):
    kernel = np.random.default_rng(seed).integers(-9, 9, shape)
    sums = blocks.sum_blocks(kernel, n)
    assert sums.shape == (shape[-2], blocks.num_block_rows(shape[-1], n))
    for row in range(sums.shape[1]):
        block = kernel[..., row * n : (row + 1) * n].astype(int)
        axes = (*range(block.ndim - 2), block.ndim - 1)
        np.testing.assert_array_equal(sums[:, row], block.sum(axis=axes))


@given(shapes, st.integers(1, 24))
def test_expand_blocks_gives_each_weight_the_value_of_its_block(shape, n):
    rows = blocks.num_block_rows(shape[-1], n)
    values = np.arange(shape[-2] * rows).reshape(shape[-2], rows)
    spread = blocks.expand_blocks(values, shape, n)
    assert spread.shape == shape
    channels = np.arange(shape[-1]) // n
    np.testing.assert_array_equal(spread, np.broadcast_to(values[:, channels], shape))


@pytest.mark.parametrize("n", [0, -4, 2.5, True, "4"])
def test_a_block_size_that_is_no_positive_whole_number_is_refused(n):
    with pytest.raises(ValueError, match=r"block size N .* at least 1, found"):
        blocks.sum_blocks(np.ones((4, 4)), n)


def test_a_kernel_without_input_axis_is_refused():
    with pytest.raises(ValueError, match=r"axes \[in, out\].*shape \[8\]"):
        blocks.sum_blocks(np.ones(8), 4)


@given(
    st.tuples(st.sampled_from([1, 9]), st.integers(1, 5), st.integers(1, 10)),
    st.sampled_from([1, 2, 3]),
    st.integers(1, 12),
)
def test_vectors_hold_the_weights_of_each_block(shape, groups, n):
    kernel = np.arange(1.0, 1 + groups * np.prod(shape))
    kernel = kernel.reshape(*shape[:-1], groups * shape[-1])
    starts = blocks.block_starts(kernel.shape[-1], n, groups)
    vectors = blocks.block_vectors(kernel, n, groups)
    assert vectors.shape == (len(starts), shape[1], shape[0] * n)
    for row, start in enumerate(starts):
        stop = [*starts, kernel.shape[-1]][row + 1]
        for index in range(shape[1]):
            expected = kernel[:, index, start:stop].ravel()
            vector = vectors[row, index]
            np.testing.assert_array_equal(vector[vector != 0], expected)
