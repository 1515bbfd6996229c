"""A fully connected layer: weights go by once, so nothing but reading them counts."""

import dataclasses

import numpy as np
from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Value,
    function,
    load,
    prefetch,
    registers,
    spread,
    store,
)
from tfmot_onexn.tvm.tiles import LINE, Tile

# outputs that are computed together
GROUP = 64


@dataclasses.dataclass(frozen=True)
class Dense:
    """Shapes of a fully connected layer without zeros.

    Attributes:
      shape: of the output, ``[..., M]``, of one image.
      columns: K, inputs.
      steps: what happens to the sums.
    """

    shape: tuple[int, ...]
    columns: int
    steps: tuple[Step, ...] = ()

    @property
    def groups(self) -> int:
        """Of outputs, the last one perhaps in part."""
        return -(-self.shape[-1] // GROUP)

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel ``x, weights, bias, others…, y``; see `pack`."""
        others = epilogue.parameters(self.steps, self.shape)
        parameters = {
            "x": ((*self.shape[:-1], self.columns), "float32"),
            "weights": ((self.groups, self.columns, GROUP), "float32"),
            "bias": ((self.groups * GROUP,), "float32"),
            **others,
            "y": (self.shape, "float32"),
        }
        rows, lanes = self.shape[-1], tile.lanes

        def body(x, weights, bias, y, **named) -> None:
            read = [named[key] for key in others]

            def finish(value: Value, channel: Value, lanes: int) -> None:
                value = epilogue.apply(value, self.steps, read, channel, channel, lanes)
                store(y, channel, value, lanes)

            with tir.parallel(0, self.groups) as group:
                sums = _emit_group(x, weights, bias, group, self.columns, lanes)
                for i, each in enumerate(sums):
                    channel = group * GROUP + i * lanes
                    with tir.If(channel + lanes <= rows):
                        with tir.Then():
                            finish(load(each, 0, lanes), channel, lanes)
                        with (
                            tir.Else(),
                            tir.serial(0, lanes) as lane,
                            tir.If(channel + lane < rows),
                            tir.Then(),
                        ):
                            finish(each[lane], channel + lane, 1)

        return function(name, parameters, body)


def _emit_group(
    x: Buffer, weights: Buffer, bias: Buffer, group: Value, columns: int, lanes: int
) -> list[Buffer]:
    sums = registers(GROUP // lanes, lanes)
    for i, each in enumerate(sums):
        store(each, 0, load(bias, group * GROUP + i * lanes, lanes), lanes)
    with tir.serial(0, columns) as column:
        at = (group * columns + column) * GROUP
        value = spread(x[column], lanes)
        for first in range(0, GROUP, LINE):
            prefetch(weights, at + first)
        for i, each in enumerate(sums):
            weight = load(weights, at + i * lanes, lanes)
            store(each, 0, load(each, 0, lanes) + value * weight, lanes)
    return sums


def pack(kernel_io: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns a kernel ``[in, out]`` as ``[groups, in, 64]``, and the bias for it."""
    columns, rows = kernel_io.shape
    missing = -rows % GROUP
    padded = np.pad(kernel_io, ((0, 0), (0, missing)))
    groups = padded.reshape(columns, -1, GROUP).transpose(1, 0, 2)
    return np.ascontiguousarray(groups), np.pad(bias, (0, missing))
