import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import bsr, masks

sparse_kernels = st.builds(
    lambda window, in_channels, rows, n, sparsity, seed: (
        n,
        _sparse_kernel((*window, in_channels, rows * n), n, sparsity, seed),
    ),
    st.sampled_from([(), (1, 1), (3, 3), (1, 3)]),
    st.integers(1, 12),
    st.integers(1, 6),
    st.sampled_from([1, 2, 3, 4, 8, 16]),
    st.floats(0, 0.99),
    st.integers(0, 2**32 - 1),
)


def _sparse_kernel(shape, n, sparsity, seed):
    kernel = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return kernel * masks.block_mask(kernel, n, sparsity)


@given(sparse_kernels)
def test_decode_inverts_encode(case):
    n, kernel = case
    np.testing.assert_array_equal(
        bsr.decode(bsr.encode(kernel, n), kernel.shape), kernel
    )


@given(sparse_kernels)
def test_a_pointwise_kernel_encodes_as_scipy_does(case):
    n, kernel = case
    matrix = kernel.reshape(-1, *kernel.shape[-2:])[0].T
    expected = scipy.sparse.bsr_array(matrix, blocksize=(n, 1))
    expected.eliminate_zeros()
    expected.sort_indices()
    actual = bsr.encode(matrix.T[None, None], n)
    np.testing.assert_array_equal(actual.data, expected.data[:, :, 0])
    np.testing.assert_array_equal(actual.indices, expected.indices)
    np.testing.assert_array_equal(actual.indptr, expected.indptr)


def test_a_window_is_stored_inside_the_block(rng):
    kernel = rng.normal(size=(3, 3, 4, 8)).astype(np.float32)
    encoded = bsr.encode(kernel, 4)
    assert encoded.data.shape == (8, 9, 4)
    np.testing.assert_array_equal(encoded.data[5], kernel[:, :, 1, 4:].reshape(9, 4))


def test_all_zero_encodes_to_nothing():
    encoded = bsr.encode(np.zeros((1, 1, 3, 8), np.float32), 4)
    assert encoded.data.shape == (0, 4)
    np.testing.assert_array_equal(encoded.indptr, [0, 0, 0])


@pytest.mark.parametrize(
    ("out_channels", "n", "expected"),
    [(64, 4, 4), (64, 16, 16), (24, 16, 8), (1000, 16, 8), (96, 1, 1), (20, 32, 20)],
)
def test_block_size_is_the_largest_divisor_that_fills_the_mask(
    rng, out_channels, n, expected
):
    kernel = rng.normal(size=(1, 1, 64, out_channels)).astype(np.float32)
    kernel *= masks.block_mask(kernel, n, 0.5)
    assert bsr.block_size(kernel) == expected
    assert bsr.fill(kernel, expected) == 1.0


def test_stray_zeros_do_not_shatter_the_blocks(rng):
    kernel = rng.normal(size=(1, 1, 64, 64)).astype(np.float32)
    kernel *= masks.block_mask(kernel, 8, 0.5)
    kernel[..., rng.integers(64)] = 0
    assert bsr.block_size(kernel) == 8
    assert bsr.fill(kernel, 8) < 1


@given(sparse_kernels)
def test_encoded_bytes_counts_the_arrays(case):
    n, kernel = case
    encoded = bsr.encode(kernel, n)
    index_type = {1: np.uint8, 2: np.uint16, 4: np.int32}
    indices = encoded.indices.astype(index_type[bsr.index_bytes(kernel.shape[-2] - 1)])
    indptr = encoded.indptr.astype(index_type[bsr.index_bytes(encoded.indptr[-1])])
    total = encoded.data.nbytes + indices.nbytes + indptr.nbytes
    assert bsr.encoded_bytes(kernel, n) == total


def test_a_block_that_does_not_divide_the_channels_is_refused():
    with pytest.raises(ValueError, match=r"16 does not divide 24.*block_size"):
        bsr.encode(np.ones((1, 1, 4, 24)), 16)
