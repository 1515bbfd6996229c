"""A 1x1 convolution with narrow 1xN blocks: pixels are transposed once.

A vector holds one channel of as many pixels as it has lanes; a weight is spread over
it. What a block costs then does not depend on how narrow it is.
"""

from collections.abc import Sequence

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.arrays import Arrays
from tfmot_onexn.tvm.kernels.tir import Buffer, Value, load, registers, spread, store

_MOST_VECTORS = 8


def vectors(width: int, pixels: int, lanes: int, registers_: int) -> int:
    """Returns how many vectors of pixels a tile has; 0 if there are too few pixels."""
    fitting = (registers_ * 3 // 4) // width
    return min(fitting, pixels // lanes, _MOST_VECTORS)


def zipped(values: Sequence[Value], lanes: int) -> list[Value]:
    """Interleaves the first half of vectors with the second, pair by pair."""
    half = len(values) // 2
    both = [lane for i in range(lanes) for lane in (i, lanes + i)]
    found = []
    for i in range(half):
        pair = [values[i], values[half + i]]
        found += [tir.Shuffle(pair, both[:lanes]), tir.Shuffle(pair, both[lanes:])]
    return found


def interleave(values: Sequence[Value], lanes: int, stages: int) -> list[Buffer]:
    """Zips vectors so often, through registers; 2**stages vectors are transposed."""
    kept: list[Buffer] = []
    for _ in range(stages):
        values = zipped(values, lanes)
        kept = registers(len(values), lanes)
        for buffer, value in zip(kept, values, strict=True):
            store(buffer, 0, value, lanes)
        values = [load(buffer, 0, lanes) for buffer in kept]
    return kept


def pack(arrays: Arrays, panel: Buffer, first: Value, count: int, lanes: int) -> None:
    """Transposes all channels of pixels into ``[columns, count * lanes]``."""
    columns, pixels = arrays.columns, count * lanes
    stages = lanes.bit_length() - 1
    whole = columns // lanes
    with tir.serial(0, whole * count) as square:
        group = tir.floormod(square, count) * lanes
        channel = tir.floordiv(square, count) * lanes
        rows = [
            load(arrays.x, (first + group + i) * columns + channel, lanes)
            for i in range(lanes)
        ]
        for i, buffer in enumerate(interleave(rows, lanes, stages)):
            store(panel, (channel + i) * pixels + group, load(buffer, 0, lanes), lanes)
    if columns % lanes:
        left = columns - whole * lanes
        with tir.serial(0, left) as channel, tir.serial(0, pixels) as pixel:
            column = whole * lanes + channel
            value = arrays.x[(first + pixel) * columns + column]
            store(panel, column * pixels + pixel, value, 1)


def emit_rows(
    arrays: Arrays, panel: Buffer, row: Value, first: Value, count: int, lanes: int
) -> None:
    """Computes one block row of a tile, a power of two of channels at a time."""
    width, n, pixels = arrays.width, arrays.n, count * lanes
    for part in range(0, n, width):
        sums = [registers(count, lanes) for _ in range(width)]
        for output, vectors_ in enumerate(sums):
            bias = spread(arrays.bias[row * n + part + output], lanes)
            for each in vectors_:
                store(each, 0, bias, lanes)
        with tir.serial(arrays.indptr[row], arrays.indptr[row + 1]) as z:
            for output, vectors_ in enumerate(sums):
                weight = spread(arrays.data[z * n + part + output], lanes)
                for i, each in enumerate(vectors_):
                    x = load(panel, arrays.indices[z] * pixels + i * lanes, lanes)
                    store(each, 0, load(each, 0, lanes) + x * weight, lanes)
        for i in range(count):
            values = [load(of_output[i], 0, lanes) for of_output in sums]
            _finish(arrays, values, first + i * lanes, row * n + part, lanes)


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
    ordered = interleave(values, lanes, stages)
    if not ordered:
        ordered = registers(1, lanes)
        store(ordered[0], 0, values[0], lanes)
    together = lanes // width  # pixels in a vector
    for p in range(lanes):
        value = load(ordered[p // together], p % together * width, width)
        offset = (pixel + p) * arrays.rows + channel
        if own:
            value = epilogue.apply(
                value, arrays.steps, arrays.others, offset, channel, width
            )
        store(arrays.y, offset, value, width)
