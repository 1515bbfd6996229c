"""A depthwise convolution: some outputs of a row stay in registers."""

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Depthwise:
    """Shapes of a depthwise convolution.

    Attributes:
      window: and the feature map.
      channels: of input and output.
      steps: what happens to the sums.
    """

    window: Window
    channels: int
    steps: tuple[Step, ...] = ()

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel: ``x, weights [kh, kw, channels], bias, others…, y``."""
        window = self.window
        outputs = (window.batch, *window.outputs, self.channels)
        others = epilogue.parameters(self.steps, outputs)
        parameters = {
            "x": (
                (window.batch, window.height, window.width, self.channels),
                "float32",
            ),
            "weights": ((*window.taps, self.channels), "float32"),
            "bias": ((self.channels,), "float32"),
            **others,
            "y": (outputs, "float32"),
        }

        def body(x, weights, bias, y, **named) -> None:
            read = [named[key] for key in others]
            _Emitter(self, x, weights, bias, read, y, tile).run()

        return function(name, parameters, body)


@dataclasses.dataclass(frozen=True)
class _Emitter:
    layer: Depthwise
    x: Buffer
    weights: Buffer
    bias: Buffer
    others: Sequence[Buffer]
    y: Buffer
    tile: Tile

    def run(self) -> None:
        window = self.layer.window
        height, _ = window.outputs
        with tir.serial(0, window.batch) as image, tir.parallel(0, height) as row:
            for first, count, lanes in chunks(self.layer.channels, self.tile.lanes):
                with tir.serial(0, count) as chunk:
                    self._emit_row(image, row, first + chunk * lanes, lanes)

    def _emit_row(self, image: Value, row: Value, channel: Value, lanes: int) -> None:
        window = self.layer.window
        _, width = window.outputs
        taps = registers(window.taps[0] * window.taps[1], lanes)
        for i, tap in enumerate(taps):
            offset = i * self.layer.channels + channel
            store(tap, 0, load(self.weights, offset, lanes), lanes)
        size, count, left = parts(width, self.tile.depthwise)
        starts = [i * size for i in range(count)]
        # what does not reach over an edge is a loop
        inner = [at for at in starts if self._is_inside(at, size)]
        for at in starts:
            if at not in inner:
                self._emit_tile(image, row, at, size, channel, lanes, taps, at)
        if inner:
            with tir.serial(0, len(inner)) as i:
                at = inner[0] + i * size
                self._emit_tile(image, row, at, size, channel, lanes, taps, None)
        if left:
            at = count * size
            self._emit_tile(image, row, at, left, channel, lanes, taps, at)

    def _is_inside(self, first: int, count: int) -> bool:
        window = self.layer.window
        begin = first * window.strides[1] - window.padding[1]
        reach = (count - 1) * window.strides[1] + (window.taps[1] - 1) * (
            window.dilation[1]
        )
        return begin >= 0 and begin + reach < window.width

    def _emit_tile(
        self,
        image: Value,
        row: Value,
        first: Value,
        count: int,
        channel: Value,
        lanes: int,
        taps: Sequence[Buffer],
        known: int | None,
    ) -> None:
        """Computes outputs of a row; ``known`` is the first one's column at an edge."""
        window, channels = self.layer.window, self.layer.channels
        height, width = window.outputs
        sums = registers(count, lanes)
        for each in sums:
            store(each, 0, load(self.bias, channel, lanes), lanes)
        for i in range(window.taps[0]):
            y = row * window.strides[0] - window.padding[0] + i * window.dilation[0]
            begin = (image * window.height + y) * window.width - window.padding[1]
            inside = tir.And(y >= 0, y < window.height)

            def add(begin: Value = begin, i: int = i) -> None:
                for column, uses in self._columns(count, known):
                    at = (
                        begin + first * window.strides[1] + column
                    ) * channels + channel
                    value = load(self.x, at, lanes)
                    for output, j in uses:
                        tap = load(taps[i * window.taps[1] + j], 0, lanes)
                        sum_ = load(sums[output], 0, lanes)
                        store(sums[output], 0, sum_ + value * tap, lanes)

            if window.padding[0] == 0 and window.padding[2] == 0:
                add()
            else:
                with tir.If(inside), tir.Then():
                    add()
        for output, each in enumerate(sums):
            offset = (
                (image * height + row) * width + first + output
            ) * channels + channel
            value = epilogue.apply(
                *(load(each, 0, lanes), self.layer.steps, self.others),
                *(offset, channel, lanes),
            )
            store(self.y, offset, value, lanes)

    def _columns(
        self, count: int, known: int | None
    ) -> list[tuple[int, list[tuple[int, int]]]]:
        """Returns each column that a tile reads, and the outputs and taps it is for."""
        window = self.layer.window
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
