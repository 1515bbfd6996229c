"""Transposes pixels, so that each channel of a tile lies side by side."""

from collections.abc import Sequence

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.arrays import Arrays
from tfmot_onexn.tvm.kernels.tir import Buffer, Value, load, registers, store


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


def pack(arrays: Arrays, panel: Buffer, first: Value, pixels: int, lanes: int) -> None:
    """Transposes all channels of pixels into ``[columns, pixels]``.

    There are as many pixels as a vector has lanes, or more.
    """
    columns = arrays.columns
    stages = lanes.bit_length() - 1
    whole = columns // lanes
    with tir.serial(0, whole) as chunk:
        channel = chunk * lanes
        # the last square begins earlier where the pixels do not divide
        for group in [*range(0, pixels - lanes, lanes), pixels - lanes]:
            rows = [
                load(arrays.x, arrays.x_offset(first + group + i, channel), lanes)
                for i in range(lanes)
            ]
            for i, buffer in enumerate(interleave(rows, lanes, stages)):
                at = (channel + i) * pixels + group
                store(panel, at, load(buffer, 0, lanes), lanes)
    if columns % lanes:
        left = columns - whole * lanes
        with tir.serial(0, left) as channel, tir.serial(0, pixels) as pixel:
            column = whole * lanes + channel
            value = arrays.x[arrays.x_offset(first + pixel, column)]
            store(panel, column * pixels + pixel, value, 1)


def packed(arrays: Arrays, first: Value, pixels: int, lanes: int) -> Buffer:
    """Returns a new panel; see `pack`."""
    floats = arrays.columns * pixels
    panel = tir.alloc_buffer((floats,), "float32", scope="global")
    pack(arrays, panel, first, pixels, lanes)
    return panel
