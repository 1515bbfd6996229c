"""Block compressed sparse rows: what a file stores and a sparse runtime reads.

For the matrix ``[M, K]`` of a kernel ``[kh, kw, in=K, out=M]`` with block rows of
``n`` (paper section 3.4; the paper's D, I and P):

  data     [nnz, kh*kw, n]   the kept blocks, ``[nnz, n]`` for a 1x1 kernel
  indices  [nnz]             their input channels
  indptr   [M/n + 1]         where each block row starts
"""

from typing import NamedTuple

import numpy as np

from tfmot_onexn.sparsity import blocks


class BSR(NamedTuple):
    """The three arrays; see the module."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray


def encode(kernel: np.ndarray, n: int) -> BSR:
    """Encodes a kernel ``[..., in, out]``; a block with a weight other than 0 is kept.

    Raises:
      ValueError: if ``n`` does not divide the number of output channels.
    """
    blocks.validate_block_size(n)
    in_channels, out_channels = kernel.shape[-2:]
    if out_channels % n:
        raise ValueError(
            f"BSR needs a block size that divides the output channels; {n} does not "
            f"divide {out_channels}. `block_size` finds one that does."
        )
    window = int(np.prod(kernel.shape[:-2]))
    blocks_wirn = kernel.reshape(window, in_channels, out_channels // n, n)
    blocks_riwn = blocks_wirn.transpose(2, 1, 0, 3)
    kept_ri = (blocks_riwn != 0).any(axis=(2, 3))
    data = blocks_riwn[kept_ri]
    if window == 1:
        data = data[:, 0]
    indptr = np.concatenate([[0], np.cumsum(kept_ri.sum(axis=1))])
    return BSR(data, np.nonzero(kept_ri)[1].astype(np.int32), indptr.astype(np.int32))


def decode(bsr: BSR, kernel_shape: tuple[int, ...]) -> np.ndarray:
    """Returns the kernel ``[..., in, out]`` that `encode` was given."""
    in_channels, out_channels = kernel_shape[-2:]
    n = bsr.data.shape[-1]
    window = int(np.prod(kernel_shape[:-2]))
    blocks_riwn = np.zeros((out_channels // n, in_channels, window, n), bsr.data.dtype)
    rows = np.repeat(np.arange(out_channels // n), np.diff(bsr.indptr))
    blocks_riwn[rows, bsr.indices] = bsr.data.reshape(-1, window, n)
    return blocks_riwn.transpose(2, 1, 0, 3).reshape(kernel_shape)


def fill(kernel: np.ndarray, n: int) -> float:
    """Returns the share of weights other than 0 inside the kept blocks, 1.0 if none."""
    per_block = blocks.sum_blocks((kernel != 0).astype(np.int64), n)
    size = blocks.sum_blocks(np.ones(kernel.shape, np.int64), n)
    kept = per_block > 0
    return float(per_block[kept].sum() / size[kept].sum()) if kept.any() else 1.0


def index_bytes(largest: int) -> int:
    """Returns the bytes of the narrowest index type that holds ``largest``."""
    return 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4


def encoded_bytes(kernel: np.ndarray, n: int) -> int:
    """Returns the bytes of data, indices and indptr, each index as narrow as it can be.

    ``n`` must divide the number of output channels.
    """
    in_channels, out_channels = kernel.shape[-2:]
    window = int(np.prod(kernel.shape[:-2]))
    nonzero_io = (kernel != 0).reshape(window, in_channels, out_channels).any(axis=0)
    nnz = int(nonzero_io.reshape(in_channels, -1, n).any(axis=2).sum())
    return (
        nnz * window * n * kernel.dtype.itemsize
        + nnz * index_bytes(in_channels - 1)
        + (out_channels // n + 1) * index_bytes(nnz)
    )


def block_size(kernel: np.ndarray) -> int:
    """Returns n, the largest block that fills the mask of a kernel ``[..., in, out]``.

    Of the divisors of ``out`` that is the one with the smallest encoding, the larger
    of two equal ones: a block that is not full stores zeros, one that is too small
    stores indices. A weight that happens to be zero inside a kept block changes
    neither by much, so it does not shatter the block.
    """
    out_channels = kernel.shape[-1]
    divisors = [n for n in range(out_channels, 0, -1) if out_channels % n == 0]
    return min(divisors, key=lambda n: encoded_bytes(kernel, n))
