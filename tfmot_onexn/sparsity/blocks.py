"""A kernel and the block view of it.

A block is ``n`` consecutive output channels at one input channel over the whole
window (paper section 3.2, the matrix Omega). A kernel ``[..., in, out]`` has
``[in, rows]`` blocks with ``rows = ceil(out / n)``; the last row may be narrower.
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
    """Returns ceil(out_channels / n), the number of block rows."""
    return -(-out_channels // n)


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


def sum_blocks(values: np.ndarray, n: int) -> np.ndarray:
    """Sums values ``[..., in, out]`` over each block, to ``[in, rows]``."""
    validate_block_size(n)
    values_io = sum_window(values)
    if n == 1:
        return values_io
    return np.add.reduceat(values_io, np.arange(0, values_io.shape[1], n), axis=1)


def expand_blocks(
    block_values: np.ndarray, kernel_shape: Sequence[int], n: int
) -> np.ndarray:
    """Spreads one value per block ``[in, rows]`` over a kernel ``[..., in, out]``.

    The inverse view of `sum_blocks`: every weight gets the value of its block.
    """
    out_channels = kernel_shape[-1]
    values_io = np.repeat(block_values, n, axis=1)[:, :out_channels]
    return np.ascontiguousarray(np.broadcast_to(values_io, tuple(kernel_shape)))
