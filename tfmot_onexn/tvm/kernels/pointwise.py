"""What works on each value, or on each channel: steps, means, pools and softmax."""

import dataclasses
import math
from collections.abc import Sequence

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.channels import chunks
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.padding import copy_padded
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Value,
    function,
    load,
    number,
    registers,
    store,
)
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.tiles import Tile


@dataclasses.dataclass(frozen=True)
class Steps:
    """Steps on a feature map ``[..., channels]`` that no layer could take along."""

    shape: tuple[int, ...]
    steps: tuple[Step, ...]

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel ``x, others…, y``."""
        others = epilogue.parameters(self.steps, self.shape)
        parameters = {
            "x": (self.shape, "float32"),
            **others,
            "y": (self.shape, "float32"),
        }
        channels = self.shape[-1]
        pixels = math.prod(self.shape[:-1])

        def body(x, y, **named) -> None:
            read = [named[key] for key in others]
            with tir.parallel(0, pixels) as pixel:
                for first, count, lanes in chunks(channels, tile.lanes):
                    with tir.serial(0, count) as chunk:
                        channel = first + chunk * lanes
                        offset = pixel * channels + channel
                        value = epilogue.apply(
                            *(load(x, offset, lanes), self.steps, read),
                            *(offset, channel, lanes),
                        )
                        store(y, offset, value, lanes)

        return function(name, parameters, body)


@dataclasses.dataclass(frozen=True)
class Pool:
    """The mean or the largest value of windows; what lies outside does not count."""

    window: Window
    channels: int
    kind: str  # "mean" or "max"
    shape: tuple[int, ...]  # of the output, as the graph has it
    count_padding: bool = False
    steps: tuple[Step, ...] = ()

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel ``x, others…, y``."""
        window = self.window
        others = epilogue.parameters(self.steps, self.shape)
        inputs = (window.batch, window.height, window.width, self.channels)
        parameters = {
            "x": (inputs, "float32"),
            **others,
            "y": (self.shape, "float32"),
        }

        def body(x, y, **named) -> None:
            read = [named[key] for key in others]
            height, width = window.outputs
            with tir.serial(0, window.batch) as image:
                for first, count, lanes in chunks(self.channels, tile.lanes):
                    with (
                        tir.parallel(0, count) as chunk,
                        tir.serial(0, height) as row,
                        tir.serial(0, width) as column,
                    ):
                        channel = first + chunk * lanes
                        pixel = (image * height + row) * width + column
                        self._emit(
                            x, y, read, image, row, column, pixel, channel, lanes
                        )

        return function(name, parameters, body)

    def _emit(
        self,
        x: Buffer,
        y: Buffer,
        others: Sequence[Buffer],
        image: Value,
        row: Value,
        column: Value,
        pixel: Value,
        channel: Value,
        lanes: int,
    ) -> None:
        window = self.window
        [total] = registers(1, lanes)
        count = tir.alloc_buffer((1,), "float32", scope="global")
        store(count, 0, tir.float32(0), 1)
        start = 0.0 if self.kind == "mean" else -math.inf
        store(total, 0, number(start, lanes), lanes)
        with tir.serial(0, window.taps[0]) as i, tir.serial(0, window.taps[1]) as j:
            top = row * window.strides[0] + i * window.dilation[0] - window.padding[0]
            left = column * window.strides[1] + j * window.dilation[1]
            left = left - window.padding[1]

            def add() -> None:
                at = ((image * window.height + top) * window.width + left) * (
                    self.channels
                )
                value = load(x, at + channel, lanes)
                old = load(total, 0, lanes)
                new = old + value if self.kind == "mean" else tir.max(old, value)
                store(total, 0, new, lanes)
                store(count, 0, count[0] + tir.float32(1), 1)

            if any(window.padding):
                inside_y = tir.And(top >= 0, top < window.height)
                inside_x = tir.And(left >= 0, left < window.width)
                with tir.If(tir.And(inside_y, inside_x)), tir.Then():
                    add()
            else:
                add()
        value = load(total, 0, lanes)
        if self.kind == "mean":
            share = tir.float32(1.0) / count[0]
            if self.count_padding:
                share = tir.float32(1.0 / math.prod(window.taps))
            value = value * (share if lanes == 1 else tir.broadcast(share, lanes))
        offset = pixel * self.channels + channel
        value = epilogue.apply(value, self.steps, others, offset, channel, lanes)
        store(y, offset, value, lanes)


@dataclasses.dataclass(frozen=True)
class Softmax:
    """Over the last axis of ``[..., channels]``."""

    shape: tuple[int, ...]

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel ``x, y``."""
        del tile  # the exponential takes all of the time
        channels = self.shape[-1]

        def body(x: Buffer, y: Buffer) -> None:
            with tir.parallel(0, math.prod(self.shape[:-1])) as pixel:
                largest = tir.alloc_buffer((1,), "float32", scope="global")
                total = tir.alloc_buffer((1,), "float32", scope="global")
                store(largest, 0, x[pixel * channels], 1)
                store(total, 0, tir.float32(0), 1)
                with tir.serial(0, channels) as c:
                    store(largest, 0, tir.max(largest[0], x[pixel * channels + c]), 1)
                with tir.serial(0, channels) as c:
                    at = pixel * channels + c
                    store(y, at, tir.exp(x[at] - largest[0]), 1)
                    store(total, 0, total[0] + y[at], 1)
                with tir.serial(0, channels) as c:
                    at = pixel * channels + c
                    store(y, at, y[at] / total[0], 1)

        parameters = {"x": (self.shape, "float32"), "y": (self.shape, "float32")}
        return function(name, parameters, body)


@dataclasses.dataclass(frozen=True)
class Pad:
    """Zeros around height and width."""

    window: Window
    channels: int

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel ``x, y``."""
        del tile  # it copies whole rows
        window = self.window
        inputs = (window.batch, window.height, window.width, self.channels)
        outputs = (window.batch, *window.padded, self.channels)
        parameters = {"x": (inputs, "float32"), "y": (outputs, "float32")}

        def body(x: Buffer, y: Buffer) -> None:
            copy_padded(x, y, window, self.channels)

        return function(name, parameters, body)
