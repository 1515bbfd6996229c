"""A kernel and the block view of it.

A block is ``n`` consecutive output channels at one input channel over the whole
window (paper section 3.2, the matrix Omega). A kernel ``[..., in, out]`` has
``[in, rows]`` blocks with ``rows = ceil(out / n)``; the last row may be narrower. The
kernel of a grouped convolution has such rows for each group: no block holds output
channels of two groups, which read different input channels.
"""

from collections.abc import Sequence

import numpy as np


def validate_block_size(n: int) -> None:
    """Raises ValueError unless ``n`` is a whole number of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise ValueError(
            f"The block size N must be a whole number of at least 1, found {n!r}. "
            "Use 4, 8 or 16 for most CPUs."
        )


def num_block_rows(out_channels: int, n: int) -> int:
    """Returns ceil(out_channels / n), the number of block rows of a group."""
    return -(-out_channels // n)


def block_starts(out_channels: int, n: int, groups: int = 1) -> np.ndarray:
    """Returns the first output channel of each block row ``[rows]``."""
    validate_block_size(n)
    in_group = np.arange(0, out_channels // groups, n)
    of_groups = np.arange(groups) * (out_channels // groups)
    return (of_groups[:, None] + in_group).ravel()


def sum_window(values: np.ndarray) -> np.ndarray:
    """Sums values ``[..., in, out]`` over the window, to ``[in, out]``.

    Raises:
      ValueError: if ``values`` has fewer than two axes.
    """
    if values.ndim < 2:
        raise ValueError(
            "A kernel needs at least the axes [in, out] to be divided into blocks, "
            f"found the shape {list(values.shape)}."
        )
    return values.reshape(-1, *values.shape[-2:]).sum(axis=0)


def sum_blocks(values: np.ndarray, n: int, groups: int = 1) -> np.ndarray:
    """Sums values ``[..., in, out]`` over each block, to ``[in, rows]``."""
    starts = block_starts(values.shape[-1], n, groups)
    return np.add.reduceat(sum_window(values), starts, axis=1)


def expand_blocks(
    block_values: np.ndarray, kernel_shape: Sequence[int], n: int, groups: int = 1
) -> np.ndarray:
    """Spreads one value per block ``[in, rows]`` over a kernel ``[..., in, out]``.

    The inverse view of `sum_blocks`: every weight gets the value of its block.
    """
    starts = block_starts(kernel_shape[-1], n, groups)
    widths = np.diff(starts, append=kernel_shape[-1])
    values_io = np.repeat(block_values, widths, axis=1)
    return np.ascontiguousarray(np.broadcast_to(values_io, tuple(kernel_shape)))


def block_vectors(kernel: np.ndarray, n: int, groups: int = 1) -> np.ndarray:
    """Returns the weights of each block ``[rows, in, window * n]``.

    Blocks of a narrower row are filled up with zeros.
    """
    validate_block_size(n)
    in_channels, out_channels = kernel.shape[-2:]
    width = out_channels // groups
    rows = num_block_rows(width, n)
    kernel_wigo = kernel.reshape(-1, in_channels, groups, width)
    kernel_wigo = np.pad(kernel_wigo, [(0, 0)] * 3 + [(0, rows * n - width)])
    vectors_wirn = kernel_wigo.reshape(-1, in_channels, groups * rows, n)
    return vectors_wirn.transpose(2, 1, 0, 3).reshape(groups * rows, in_channels, -1)
