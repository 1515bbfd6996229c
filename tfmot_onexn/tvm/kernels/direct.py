"""A 1x1 convolution with wide 1xN blocks: a vector holds channels of a pixel.

An input is spread over a vector of weights; each pixel of a tile has its own sum.
"""

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.arrays import Arrays
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Value,
    load,
    prefetch,
    registers,
    spread,
    store,
)


def emit_rows(
    arrays: Arrays,
    row: Value,
    first: Value,
    pixels: int,
    panel: Buffer | None = None,
    *,
    fetch: bool = False,
) -> None:
    """Computes one block row of some pixels, a power of two of channels at a time."""
    width, n = arrays.width, arrays.n
    for part in range(0, n, width):
        sums = registers(pixels, width)
        for each in sums:
            store(each, 0, load(arrays.bias, row * n + part, width), width)
        with tir.serial(arrays.indptr[row], arrays.indptr[row + 1]) as z:
            weights = load(arrays.data, z * n + part, width)
            if fetch:
                prefetch(arrays.data, z * n + part)
            for pixel, each in enumerate(sums):
                if panel is None:
                    x = arrays.x[arrays.x_offset(first + pixel, arrays.indices[z])]
                else:
                    x = panel[arrays.indices[z] * pixels + pixel]
                store(each, 0, load(each, 0, width) + spread(x, width) * weights, width)
        for pixel, each in enumerate(sums):
            arrays.finish(load(each, 0, width), first + pixel, row * n + part)
