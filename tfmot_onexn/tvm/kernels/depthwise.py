"""A depthwise convolution: some outputs of a row stay in registers."""

import dataclasses
import math
from collections.abc import Sequence

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.channels import chunks
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Value,
    function,
    load,
    parts,
    registers,
    store,
)
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.tiles import Tile

# that a kernel has work for, where it has to be divided for them
_THREADS = 4


@dataclasses.dataclass(frozen=True)
class Depthwise:
    """Shapes of a depthwise convolution.

    Attributes:
      window: and the feature map.
      channels: of input and output.
      steps: what happens to the sums.
      x_pitch: floats from a pixel of the input to the next; 0 for ``channels``.
      y_pitch: the same of the output.
    """

    window: Window
    channels: int
    steps: tuple[Step, ...] = ()
    x_pitch: int = 0
    y_pitch: int = 0

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel: ``x, weights [kh, kw, channels], bias, others…, y``."""
        window, channels = self.window, self.channels
        height, width = window.outputs
        x_pitch, y_pitch = self.x_pitch or channels, self.y_pitch or channels
        outputs = (window.batch, height, width, channels)
        others = epilogue.parameters(self.steps, outputs)
        parameters = {
            "x": ((window.batch, window.height, window.width, x_pitch), "float32"),
            "weights": ((*window.taps, channels), "float32"),
            "bias": ((channels,), "float32"),
            **others,
            "y": ((*outputs[:-1], y_pitch), "float32"),
        }

        def body(x, weights, bias, y, **named) -> None:
            read = [named[key] for key in others]
            with tir.serial(0, window.batch) as image:
                emitter = Emitter(
                    *(window, channels, self.steps, weights, bias, read),
                    Rows(x, window.width, x_pitch, image * window.height),
                    Rows(y, width, y_pitch, image * height),
                    tile.depthwise,
                )
                if self._is_crowded(tile):
                    _emit_by_row(emitter, tile.lanes)
                else:
                    _emit_by_channel(emitter, tile.lanes)

        return function(name, parameters, body)

    def _is_crowded(self, tile: Tile) -> bool:
        """Whether the same channel of the rows that are read does not fit a cache."""
        window = self.window
        resident = tile.resident(self.x_pitch or self.channels)
        return resident < window.taps[0] * window.width


def _emit_by_channel(emitter: "Emitter", lanes: int) -> None:
    """Row after row of the same channels: a row of inputs is in the cache for each."""
    height, _ = emitter.window.outputs
    for first, count, lanes_ in chunks(emitter.channels, lanes):
        # bands of rows, where channels alone are too few for threads
        bands = 1 if count >= _THREADS else math.gcd(height, _THREADS)
        rows = height // bands
        with tir.parallel(0, count * bands) as part, tir.serial(0, rows) as row:
            channel = first + tir.floordiv(part, bands) * lanes_
            emitter.emit_row(tir.floormod(part, bands) * rows + row, channel, lanes_)


def _emit_by_row(emitter: "Emitter", lanes: int) -> None:
    with tir.parallel(0, emitter.window.outputs[0]) as row:
        for first, count, lanes_ in chunks(emitter.channels, lanes):
            with tir.serial(0, count) as chunk:
                emitter.emit_row(row, first + chunk * lanes_, lanes_)


@dataclasses.dataclass(frozen=True)
class Rows:
    """Where the rows of a feature map lie in a buffer.

    Attributes:
      buffer: that has them, or a part of them.
      width: pixels of a row.
      pitch: floats from a pixel to the next.
      before: rows that lie before the map's first one; negative in a part.
      skipped: channels of the map before the first one here.
    """

    buffer: Buffer
    width: int
    pitch: int
    before: Value = 0
    skipped: Value = 0

    def offset(self, row: Value, column: Value, channel: Value) -> Value:
        """Returns where a channel of a pixel is."""
        pixel = (self.before + row) * self.width + column
        return pixel * self.pitch + (channel - self.skipped)


@dataclasses.dataclass(frozen=True)
class Emitter:
    """Emits rows of a depthwise convolution.

    Attributes:
      window: and the feature map.
      channels: of it.
      steps: what happens to the sums.
      weights: ``[kh, kw, channels]``.
      bias: ``[channels]``.
      others: what the steps read.
      x: the input.
      y: the output.
      most: outputs that have a sum at once.
    """

    window: Window
    channels: int
    steps: tuple[Step, ...]
    weights: Buffer
    bias: Buffer
    others: Sequence[Buffer]
    x: Rows
    y: Rows
    most: int

    def emit_row(self, row: Value, channel: Value, lanes: int) -> None:
        """Computes lanes of channels of a row."""
        _, width = self.window.outputs
        taps = registers(self.window.taps[0] * self.window.taps[1], lanes)
        for i, tap in enumerate(taps):
            offset = i * self.channels + channel
            store(tap, 0, load(self.weights, offset, lanes), lanes)
        size, count, left = parts(width, self.most)
        starts = [i * size for i in range(count)]
        # what does not reach over an edge is a loop
        inner = [at for at in starts if self._is_inside(at, size)]
        for at in starts:
            if at not in inner:
                self._emit_tile(row, at, size, channel, lanes, taps, at)
        if inner:
            with tir.serial(0, len(inner)) as i:
                at = inner[0] + i * size
                self._emit_tile(row, at, size, channel, lanes, taps, None)
        if left:
            at = count * size
            self._emit_tile(row, at, left, channel, lanes, taps, at)

    def _is_inside(self, first: int, count: int) -> bool:
        window = self.window
        begin = first * window.strides[1] - window.padding[1]
        reach = (count - 1) * window.strides[1] + (window.taps[1] - 1) * (
            window.dilation[1]
        )
        return begin >= 0 and begin + reach < window.width

    def _emit_tile(
        self,
        row: Value,
        first: Value,
        count: int,
        channel: Value,
        lanes: int,
        taps: Sequence[Buffer],
        known: int | None,
    ) -> None:
        """Computes outputs of a row; ``known`` is the first one's column at an edge."""
        window = self.window
        sums = registers(count, lanes)
        for each in sums:
            store(each, 0, load(self.bias, channel, lanes), lanes)
        for i in range(window.taps[0]):
            y = row * window.strides[0] - window.padding[0] + i * window.dilation[0]
            begin = first * window.strides[1] - window.padding[1]

            def add(y: Value = y, begin: Value = begin, i: int = i) -> None:
                for column, uses in self._columns(count, known):
                    at = self.x.offset(y, begin + column, channel)
                    value = load(self.x.buffer, at, lanes)
                    for output, j in uses:
                        tap = load(taps[i * window.taps[1] + j], 0, lanes)
                        sum_ = load(sums[output], 0, lanes)
                        store(sums[output], 0, sum_ + value * tap, lanes)

            if window.padding[0] == 0 and window.padding[2] == 0:
                add()
            else:
                with tir.If(tir.And(y >= 0, y < window.height)), tir.Then():
                    add()
        for output, each in enumerate(sums):
            offset = self.y.offset(row, first + output, channel)
            value = epilogue.apply(
                *(load(each, 0, lanes), self.steps, self.others),
                *(offset, channel, lanes),
            )
            store(self.y.buffer, offset, value, lanes)

    def _columns(
        self, count: int, known: int | None
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        """Returns each column that a tile reads, and the outputs and taps it is for."""
        window = self.window
        found: dict[int, list[tuple[int, int]]] = {}
        for output in range(count):
            for j in range(window.taps[1]):
                column = output * window.strides[1] + j * window.dilation[1]
                if known is not None:
                    at = known * window.strides[1] + column - window.padding[1]
                    if not 0 <= at < window.width:
                        continue
                found.setdefault(column, []).append((output, j))
        return sorted(found.items())
