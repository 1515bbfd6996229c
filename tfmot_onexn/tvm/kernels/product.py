"""A 1x1 convolution with 1xN blocks: the product of pixels with a BSR matrix.

``y[p, j·n:(j+1)·n] = bias + Σ_z x[p, indices[z]] · data[z, :]``, then the epilogue.
"""

import dataclasses
import math

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import panel as panel_lib
from tfmot_onexn.tvm.kernels import planar
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
    """

    shape: tuple[int, ...]
    columns: int
    n: int
    blocks: int
    steps: tuple[Step, ...] = ()

    def _pixels(self, tile: Tile, pixels: int, width: int) -> tuple[int, bool]:
        """Returns how many pixels have sums at once, and whether to transpose them.

        The same channel of many pixels may share a few sets of the L1 cache. Fewer
        pixels then fit; where too few would, a transposed copy has them side by side.
        """
        most = min(tile.pixels(width), pixels)
        if tile.transposes is not None:
            return most, tile.transposes and most >= tile.lanes
        fitting = tile.resident(self.columns)
        uses = self.blocks * self.n / self.columns
        if fitting >= most:
            return most, False
        if 2 * fitting < most and most >= tile.lanes and uses >= _LEAST_USES:
            return most, True
        return max(fitting, most // 2), False

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel: ``x, data, indices, indptr, bias, others…, y``."""
        pixels = math.prod(self.shape[:-1])

        def body(arrays: Arrays) -> None:
            vectors = 0
            if arrays.width < tile.least_direct:
                vectors = planar.vectors(arrays.width, pixels, tile)
            if pixels == 1:
                _emit_one_pixel(arrays)
            elif vectors:
                _emit_planar(arrays, pixels, vectors, tile.lanes)
            else:
                most, transposes = self._pixels(tile, pixels, arrays.width)
                _emit(arrays, pixels, most, tile.lanes if transposes else 0)

        return sparse_function(
            name,
            (*self.shape[:-1], self.columns),
            self.shape,
            (self.blocks, 1, self.n),
            self.steps,
            body,
        )


def _emit(arrays: Arrays, pixels: int, most: int, lanes: int) -> None:
    """Tile by tile; with lanes, each is transposed first."""
    rows = arrays.rows // arrays.n
    size, count, left = parts(pixels, most)

    def emit_tile(first: Value, here: int) -> None:
        panel = None
        if lanes and here >= lanes:
            panel = _packed(arrays, first, here, lanes)

        def emit(fetch: bool) -> None:
            with tir.serial(0, rows) as row:
                _emit_rows(arrays, row, first, here, panel, fetch=fetch)

        arrays.first_fetches(first, size, count, emit)

    if lanes or count + bool(left) >= _LEAST_TILES:
        each_part(pixels, most, emit_tile, parallel=True)
        return
    with tir.parallel(0, rows) as row:
        for part in range(count):
            _emit_rows(arrays, row, part * size, size, fetch=part == 0)
        if left:
            _emit_rows(arrays, row, count * size, left)


def _packed(arrays: Arrays, first: Value, pixels: int, lanes: int) -> Buffer:
    floats = arrays.columns * pixels
    panel = tir.alloc_buffer((floats,), "float32", scope="global")
    panel_lib.pack(arrays, panel, first, pixels, lanes)
    return panel


def _emit_rows(
    arrays: Arrays,
    row: Value,
    first: Value,
    pixels: int,
    panel: Buffer | None = None,
    *,
    fetch: bool = False,
) -> None:
    """Computes one block row of some pixels, a power of two of channels at a time."""
    width, n, columns = arrays.width, arrays.n, arrays.columns
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
                    x = arrays.x[(first + pixel) * columns + arrays.indices[z]]
                else:
                    x = panel[arrays.indices[z] * pixels + pixel]
                store(each, 0, load(each, 0, width) + spread(x, width) * weights, width)
        for pixel, each in enumerate(sums):
            arrays.finish(load(each, 0, width), first + pixel, row * n + part)


def _emit_planar(arrays: Arrays, pixels: int, vectors: int, lanes: int) -> None:
    """Tiles of vectors of pixels; at the end a narrower one, and single pixels."""
    rows, size = arrays.rows // arrays.n, vectors * lanes
    whole, narrower, single = planar.divide(pixels, vectors, lanes, arrays.width)
    tiles = [(i * size, vectors) for i in range(whole)]
    if whole >= _LEAST_TILES:
        tiles = []
        with tir.parallel(0, whole) as tile:
            panel = _packed(arrays, tile * size, size, lanes)

            def emit(fetch: bool) -> None:
                place = planar.Place(panel, tile * size, vectors, lanes)
                with tir.serial(0, rows) as row:
                    planar.emit_rows(arrays, place, row, fetch=fetch)

            arrays.first_fetches(tile * size, size, whole, emit)
    if narrower:
        tiles.append((pixels - single - narrower * lanes, narrower))
    places = [
        planar.Place(_packed(arrays, first, count * lanes, lanes), first, count, lanes)
        for first, count in tiles
    ]
    if not tiles and not single:
        return
    with tir.parallel(0, rows) as row:
        for i, place in enumerate(places):
            fetch = i == 0 and whole < _LEAST_TILES
            planar.emit_rows(arrays, place, row, fetch=fetch)
        if single:
            _emit_rows(arrays, row, pixels - single, single)


def _emit_one_pixel(arrays: Arrays) -> None:
    width, n = arrays.width, arrays.n
    with tir.parallel(0, arrays.rows // n) as row:
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
