"""A 1x1 convolution with narrow 1xN blocks: pixels are transposed once.

A vector holds one channel of as many pixels as it has lanes; a weight is spread over
it. What a block costs then does not depend on how narrow it is.
"""

import dataclasses

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels import panel as panel_lib
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
from tfmot_onexn.tvm.tiles import Tile

_MOST_VECTORS = 8


def vectors(width: int, pixels: int, tile: Tile) -> int:
    """Returns how many vectors of pixels a tile has; 0 if there are too few pixels."""
    fitting = min((tile.registers * 3 // 4) // width, pixels // tile.lanes)
    most = _MOST_VECTORS
    if tile.most_pixels is not None:
        most = max(1, min(most, tile.most_pixels // tile.lanes))
    return min(fitting, most)


def divide(pixels: int, most: int, lanes: int, width: int) -> tuple[int, int, int]:
    """Divides pixels into tiles.

    Returns:
      Tiles of ``most`` vectors, how many vectors the last one has, 0 without one, and
      pixels that are left, which is fewer than ``width``: as single ones they cost less
      than a vector of them.
    """
    whole, left = divmod(pixels, most * lanes)
    vectors_, single = divmod(left, lanes)
    return (whole, vectors_ + 1, 0) if single >= width else (whole, vectors_, single)


@dataclasses.dataclass(frozen=True)
class Place:
    """Pixels of a tile.

    Attributes:
      panel: has their transposed channels.
      first: the first one.
      vectors: of pixels.
      lanes: of a vector.
      start: where the panel has them.
    """

    panel: Buffer
    first: Value
    vectors: int
    lanes: int
    start: Value = 0


def packed(arrays: Arrays, first: Value, vectors_: int, lanes: int) -> Place:
    """Transposes the channels of some vectors of pixels."""
    panel = panel_lib.packed(arrays, first, vectors_ * lanes, lanes)
    return Place(panel, first, vectors_, lanes)


def emit_rows(arrays: Arrays, place: Place, row: Value, *, fetch: bool) -> None:
    """Computes one block row of a tile, a power of two of channels at a time."""
    width, n = arrays.width, arrays.n
    count, lanes = place.vectors, place.lanes
    for part in range(0, n, width):
        sums = [registers(count, lanes) for _ in range(width)]
        for output, vectors_ in enumerate(sums):
            bias = spread(arrays.bias[row * n + part + output], lanes)
            for each in vectors_:
                store(each, 0, bias, lanes)
        with tir.serial(arrays.indptr[row], arrays.indptr[row + 1]) as z:
            if fetch:
                prefetch(arrays.data, z * n + part)
            channel = place.start + arrays.indices[z] * (count * lanes)
            for output, vectors_ in enumerate(sums):
                weight = spread(arrays.data[z * n + part + output], lanes)
                for i, each in enumerate(vectors_):
                    x = load(place.panel, channel + i * lanes, lanes)
                    store(each, 0, load(each, 0, lanes) + x * weight, lanes)
        for i in range(count):
            values = [load(of_output[i], 0, lanes) for of_output in sums]
            _finish(arrays, values, place.first + i * lanes, row * n + part, lanes)


def _finish(
    arrays: Arrays, values: list[Value], pixel: Value, channel: Value, lanes: int
) -> None:
    """Writes as many pixels as a vector has lanes."""
    width = arrays.width
    own = epilogue.operands(arrays.steps)
    if not own:
        values = [
            epilogue.apply(value, arrays.steps, [], 0, 0, lanes) for value in values
        ]
    stages = width.bit_length() - 1
    ordered = panel_lib.interleave(values, lanes, stages)
    if not ordered:
        ordered = registers(1, lanes)
        store(ordered[0], 0, values[0], lanes)
    together = lanes // width  # pixels in a vector
    for p in range(lanes):
        value = load(ordered[p // together], p % together * width, width)
        offset = arrays.offset(pixel + p, channel)
        if own:
            value = epilogue.apply(
                value, arrays.steps, arrays.others, offset, channel, width
            )
        store(arrays.y, offset, value, width)
