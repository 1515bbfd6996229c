"""A 1x1 convolution with 1xN blocks: the product of pixels with a BSR matrix.

``y[p, j·n:(j+1)·n] = bias + Σ_z x[p, indices[z]] · data[z, :]``, then the epilogue.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import direct, planar
from tfmot_onexn.tvm.kernels import panel as panel_lib
from tfmot_onexn.tvm.kernels.arrays import Arrays, sparse_function
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Value,
    each_part,
    load,
    parts,
    prefetch,
    registers,
    spread,
    store,
)
from tfmot_onexn.tvm.tiles import Tile

# sums of one pixel that hide the latency of a multiply-add
_SUMS_OF_ONE = 4
# inputs that are used less often are not worth transposing
_LEAST_USES = 48
# with fewer tiles, block rows are shared out between threads
_LEAST_TILES = 4


@dataclasses.dataclass(frozen=True)
class Product:
    """Shapes of a product.

    Attributes:
      shape: of the output, ``[batch, height, width, M]`` or ``[batch, M]``.
      columns: K, input channels.
      n: output channels per block.
      blocks: how many are stored.
      steps: what happens to the sums.
      x_pitch: floats from a pixel of the input to the next; 0 for ``columns``.
      y_pitch: the same of the output; 0 for M.
    """

    shape: tuple[int, ...]
    columns: int
    n: int
    blocks: int
    steps: tuple[Step, ...] = ()
    x_pitch: int = 0
    y_pitch: int = 0

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel: ``x, data, indices, indptr, bias, others…, y``."""
        pixels = math.prod(self.shape[:-1])
        return sparse_function(
            name,
            (*self.shape[:-1], self.columns),
            self.shape,
            (self.blocks, 1, self.n),
            self.steps,
            lambda arrays: emit(arrays, pixels, tile, tir.parallel),
            (self.x_pitch, self.y_pitch),
        )


def emit(arrays: Arrays, pixels: int, tile: Tile, loop: Callable[..., Any]) -> None:
    """Emits the product of so many pixels.

    Args:
      arrays: see there.
      pixels: of x and y.
      tile: of the processor.
      loop: of what threads may share out, `tir.parallel`, or `tir.serial`.
    """
    vectors = 0
    # a vector takes whole pixels there
    if arrays.width < tile.least_direct and arrays.width <= tile.lanes:
        vectors = planar.vectors(arrays.width, pixels, tile)
    if pixels == 1:
        _emit_one_pixel(arrays, loop)
    elif vectors:
        _emit_planar(arrays, pixels, vectors, tile.lanes, loop)
    else:
        most, transposes = _together(arrays, pixels, tile)
        _emit_direct(arrays, pixels, most, tile.lanes if transposes else 0, loop)


def _together(arrays: Arrays, pixels: int, tile: Tile) -> tuple[int, bool]:
    """Returns how many pixels have sums at once, and whether to transpose them.

    The same channel of many pixels may share a few sets of the L1 cache. Fewer pixels
    then fit; where too few would, a transposed copy has them side by side.
    """
    most = min(tile.pixels(arrays.width), pixels)
    if tile.transposes is not None:
        return most, tile.transposes and most >= tile.lanes
    fitting = tile.resident(arrays.x_pitch or arrays.columns)
    uses = int(arrays.indices.shape[0]) * arrays.n / arrays.columns
    if fitting >= most:
        return most, False
    if 2 * fitting < most and most >= tile.lanes and uses >= _LEAST_USES:
        return most, True
    return max(fitting, most // 2), False


def _emit_direct(
    arrays: Arrays, pixels: int, most: int, lanes: int, loop: Callable[..., Any]
) -> None:
    """Tile by tile; with lanes, each is transposed first."""
    rows = arrays.rows // arrays.n
    size, count, left = parts(pixels, most)

    def emit_tile(first: Value, here: int) -> None:
        panel = None
        if lanes and here >= lanes:
            panel = panel_lib.packed(arrays, first, here, lanes)

        def emit_rows(fetch: bool) -> None:
            with tir.serial(0, rows) as row:
                direct.emit_rows(arrays, row, first, here, panel, fetch=fetch)

        arrays.first_fetches(first, size, count, emit_rows)

    if lanes or count + bool(left) >= _LEAST_TILES:
        each_part(pixels, most, emit_tile, loop)
        return
    with loop(0, rows) as row:
        for part in range(count):
            direct.emit_rows(arrays, row, part * size, size, fetch=part == 0)
        if left:
            direct.emit_rows(arrays, row, count * size, left)


def _emit_planar(
    arrays: Arrays, pixels: int, vectors: int, lanes: int, loop: Callable[..., Any]
) -> None:
    """Tiles of vectors of pixels; at the end a narrower one, and single pixels."""
    size = vectors * lanes
    groups, together = planar.groups(arrays, lanes)
    whole, narrower, single = planar.divide(pixels, vectors, lanes, arrays.width)
    tiles = [(i * size, vectors) for i in range(whole)]
    if whole >= _LEAST_TILES:
        tiles = []
        with loop(0, whole) as tile:
            place = planar.packed(arrays, tile * size, vectors, lanes)

            def emit_groups(fetch: bool) -> None:
                with tir.serial(0, groups) as group:
                    planar.emit_group(arrays, place, group, fetch=fetch)

            arrays.first_fetches(tile * size, size, whole, emit_groups)
    if narrower:
        tiles.append((pixels - single - narrower * lanes, narrower))
    if not tiles and not single:
        return
    places = [planar.packed(arrays, first, count, lanes) for first, count in tiles]
    with loop(0, groups) as group:
        for i, place in enumerate(places):
            fetch = i == 0 and whole < _LEAST_TILES
            planar.emit_group(arrays, place, group, fetch=fetch)
        if single:
            with tir.serial(0, together) as i:
                row = group * together + i
                direct.emit_rows(arrays, row, pixels - single, single)


def _emit_one_pixel(arrays: Arrays, loop: Callable[..., Any]) -> None:
    width, n = arrays.width, arrays.n
    with loop(0, arrays.rows // n) as row:
        for part in range(0, n, width):
            sums = registers(_SUMS_OF_ONE, width)
            store(sums[0], 0, load(arrays.bias, row * n + part, width), width)
            for each in sums[1:]:
                store(each, 0, spread(tir.float32(0), width), width)

            def add(z: Value, each: Buffer, part: int = part) -> None:
                weights = load(arrays.data, z * n + part, width)
                prefetch(arrays.data, z * n + part)
                x = spread(arrays.x[arrays.indices[z]], width)
                store(each, 0, load(each, 0, width) + x * weights, width)

            begin, end = arrays.indptr[row], arrays.indptr[row + 1]
            fours = tir.floordiv(end - begin, _SUMS_OF_ONE)
            with tir.serial(0, fours) as four:
                for i, each in enumerate(sums):
                    add(begin + four * _SUMS_OF_ONE + i, each)
            with tir.serial(begin + fours * _SUMS_OF_ONE, end) as z:
                add(z, sums[0])
            total = load(sums[0], 0, width)
            for each in sums[1:]:
                total = total + load(each, 0, width)
            arrays.finish(total, 0, row * n + part)
