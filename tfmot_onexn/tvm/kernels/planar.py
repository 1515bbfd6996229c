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
# channels of block rows of which some are written together
_NARROW = 2


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
    """

    panel: Buffer
    first: Value
    vectors: int
    lanes: int


def packed(arrays: Arrays, first: Value, vectors_: int, lanes: int) -> Place:
    """Transposes the channels of some vectors of pixels."""
    panel = panel_lib.packed(arrays, first, vectors_ * lanes, lanes)
    return Place(panel, first, vectors_, lanes)


def groups(arrays: Arrays, lanes: int) -> tuple[int, int]:
    """Returns how many groups of block rows there are, and how many each has.

    A group of narrow rows has as many channels as a vector has lanes, so that whole
    vectors of a pixel are written, not one or two floats.
    """
    rows, together = arrays.rows // arrays.n, lanes // arrays.n
    if arrays.n > _NARROW or rows % together:
        return rows, 1
    return rows // together, together


def emit_group(arrays: Arrays, place: Place, group: Value, *, fetch: bool) -> None:
    """Computes a group of block rows of a tile; see `groups`."""
    _, together = groups(arrays, place.lanes)
    if together == 1:
        for part in range(0, arrays.n, arrays.width):
            sums = _sums(arrays, place, group, part, fetch)
            for i in range(place.vectors):
                values = [load(each[i], 0, place.lanes) for each in sums]
                first = place.first + i * place.lanes
                _finish(arrays, values, first, group * arrays.n + part, place.lanes)
        return
    lanes, pixels = place.lanes, place.vectors * place.lanes
    planes = tir.alloc_buffer((lanes * pixels,), "float32", scope="global")
    with tir.serial(0, together) as i:
        sums = _sums(arrays, place, group * together + i, 0, fetch)
        for output, vectors_ in enumerate(sums):
            for j, each in enumerate(vectors_):
                at = (i * arrays.n + output) * pixels + j * lanes
                store(planes, at, load(each, 0, lanes), lanes)
    with tir.serial(0, place.vectors) as i:
        values = [load(planes, j * pixels + i * lanes, lanes) for j in range(lanes)]
        transposed = panel_lib.interleave(values, lanes, lanes.bit_length() - 1)
        for p, each in enumerate(transposed):
            pixel = place.first + i * lanes + p
            arrays.finish(load(each, 0, lanes), pixel, group * lanes, lanes)


def _sums(
    arrays: Arrays, place: Place, row: Value, part: int, fetch: bool
) -> list[list[Buffer]]:
    """Emits the sums of a block row, of a power of two of its channels.

    Returns:
      For each channel a register for each vector of pixels.
    """
    n, count, lanes = arrays.n, place.vectors, place.lanes
    sums = [registers(count, lanes) for _ in range(arrays.width)]
    for output, vectors_ in enumerate(sums):
        bias = spread(arrays.bias[row * n + part + output], lanes)
        for each in vectors_:
            store(each, 0, bias, lanes)
    with tir.serial(arrays.indptr[row], arrays.indptr[row + 1]) as z:
        if fetch:
            prefetch(arrays.data, z * n + part)
        channel = arrays.indices[z] * (count * lanes)
        for output, vectors_ in enumerate(sums):
            weight = spread(arrays.data[z * n + part + output], lanes)
            for i, each in enumerate(vectors_):
                x = load(place.panel, channel + i * lanes, lanes)
                store(each, 0, load(each, 0, lanes) + x * weight, lanes)
    return sums


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
