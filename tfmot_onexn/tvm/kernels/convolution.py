"""A convolution of any window with 1xN blocks, dense ones as if all were stored."""

import dataclasses
import math

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.arrays import Arrays, sparse_function
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.padding import copy_padded
from tfmot_onexn.tvm.kernels.tir import (
    Value,
    load,
    parts,
    prefetch,
    registers,
    spread,
    store,
)
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.tiles import LINE, Tile


@dataclasses.dataclass(frozen=True)
class Convolution:
    """Shapes of a convolution.

    Attributes:
      window: and the feature map.
      rows: M, output channels.
      columns: K, input channels.
      n: output channels per block.
      blocks: how many are stored.
      steps: what happens to the sums.
    """

    window: Window
    rows: int
    columns: int
    n: int
    blocks: int
    steps: tuple[Step, ...] = ()

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel: ``x, data, indices, indptr, bias, others…, y``."""
        window = self.window
        return sparse_function(
            name,
            (window.batch, window.height, window.width, self.columns),
            (window.batch, *window.outputs, self.rows),
            (self.blocks, math.prod(window.taps), self.n),
            self.steps,
            lambda arrays: _emit(arrays, window, tile),
        )


def _emit(arrays: Arrays, window: Window, tile: Tile) -> None:
    if any(window.padding):
        arrays = _padded(arrays, window, tile)
    most = tile.pixels(arrays.width)
    height, width = window.outputs
    # a tile is some outputs of a row, or some whole rows
    columns, count, left = parts(width, most)
    together = min(height, max(1, most // width)) if count == 1 and not left else 1
    rows, row_count, rows_left = parts(height, together)

    def emit_rows(image: Value, first: Value, here: int) -> None:
        with tir.serial(0, arrays.rows // arrays.n) as block_row:
            if count == 1:
                _emit_tile(arrays, window, block_row, image, first, 0, here, columns)
            else:
                with tir.serial(0, count) as part:
                    at = part * columns
                    _emit_tile(
                        arrays, window, block_row, image, first, at, here, columns
                    )
            if left:
                at = count * columns
                _emit_tile(arrays, window, block_row, image, first, at, here, left)

    with tir.serial(0, window.batch) as image:
        with tir.parallel(0, row_count) as part:
            emit_rows(image, part * rows, rows)
        if rows_left:
            emit_rows(image, row_count * rows, rows_left)


def _emit_tile(
    arrays: Arrays,
    window: Window,
    row: Value,
    image: Value,
    first_row: Value,
    first_column: Value,
    rows: int,
    columns: int,
) -> None:
    """Computes one block row of ``rows * columns`` outputs."""
    width, n = arrays.width, arrays.n
    (taps_y, taps_x), (stride_y, stride_x) = window.taps, window.strides
    dilation_y, dilation_x = window.dilation
    height, row_pixels = window.padded
    out_height, out_width = window.outputs
    pitch = arrays.x_pitch or arrays.columns
    places = [(y, c) for y in range(rows) for c in range(columns)]
    top = (image * height + first_row * stride_y) * row_pixels + first_column * stride_x
    for part in range(0, n, width):
        sums = registers(len(places), width)
        for each in sums:
            store(each, 0, load(arrays.bias, row * n + part, width), width)
        with (
            tir.serial(arrays.indptr[row], arrays.indptr[row + 1]) as z,
            tir.serial(0, taps_y) as i,
            tir.serial(0, taps_x) as j,
        ):
            tap = i * dilation_y * row_pixels + j * dilation_x
            at = arrays.x_offset(top + tap, arrays.indices[z])
            block = ((z * taps_y + i) * taps_x + j) * n + part
            weights = load(arrays.data, block, width)
            prefetch(arrays.data, block)
            for (y, c), each in zip(places, sums, strict=True):
                skipped = y * stride_y * row_pixels + c * stride_x
                value = spread(arrays.x[at + skipped * pitch], width)
                store(each, 0, load(each, 0, width) + value * weights, width)
        for (y, c), each in zip(places, sums, strict=True):
            pixel = (image * out_height + first_row + y) * out_width + first_column + c
            arrays.finish(load(each, 0, width), pixel, row * n + part)


def _padded(arrays: Arrays, window: Window, tile: Tile) -> Arrays:
    """Emits a copy with zeros around it; pixels that crowd each other are apart."""
    channels = arrays.columns
    # of the rows that a tile reads
    needed = window.taps[0] * tile.pixels(arrays.width) * window.strides[1]
    pitch = channels
    if tile.resident(channels) < needed < tile.resident(channels + LINE):
        pitch = channels + LINE
    size = window.batch * math.prod(window.padded) * pitch
    copy = tir.alloc_buffer((size,), "float32", scope="global")
    copy_padded(arrays.x, copy, window, channels, pitch)
    return dataclasses.replace(arrays, x=copy, x_pitch=pitch)
