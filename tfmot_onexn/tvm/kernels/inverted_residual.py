"""Expand, depthwise and project as one kernel, for feature maps that fill caches.

The expanded map never exists as a whole. A strip of rows of the output is computed at a
time; for it, slice by slice of channels, the rows of the expanded map that it reads,
which stay in the L1 cache until the depthwise convolution is done with them. Rows that
the next strip reads too are carried over.
"""

import dataclasses
from collections.abc import Sequence

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels import direct, epilogue, product, strips
from tfmot_onexn.tvm.kernels.arrays import Arrays
from tfmot_onexn.tvm.kernels.channels import chunks
from tfmot_onexn.tvm.kernels.depthwise import Emitter, Rows
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.strips import Division
from tfmot_onexn.tvm.kernels.tir import (
    Buffer,
    Parameters,
    Value,
    copy,
    function,
    kept,
)
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.tiles import Tile


@dataclasses.dataclass(frozen=True)
class Blocks:
    """A BSR matrix ``[rows, columns]`` of ``count`` blocks of n rows."""

    rows: int
    columns: int
    n: int
    count: int

    def parameters(self, prefix: str) -> Parameters:
        """Returns its arrays, with the bias."""
        return {
            f"{prefix}_data": ((self.count, 1, self.n), "float32"),
            f"{prefix}_indices": ((self.count,), "int32"),
            f"{prefix}_indptr": ((self.rows // self.n + 1,), "int32"),
            f"{prefix}_bias": ((self.rows,), "float32"),
        }


@dataclasses.dataclass(frozen=True)
class InvertedResidual:
    """Shapes of the three layers, of one image.

    Attributes:
      window: of the depthwise convolution, over the expanded map.
      expand: the first 1x1 convolution.
      expand_steps: what happens to its sums; none reads another feature map.
      depthwise_steps: the same of the depthwise convolution.
      project: the second 1x1 convolution.
      steps: what happens to its sums.
    """

    window: Window
    expand: Blocks
    expand_steps: tuple[Step, ...]
    depthwise_steps: tuple[Step, ...]
    project: Blocks
    steps: tuple[Step, ...] = ()

    @property
    def expanded_bytes(self) -> int:
        """Of the map that is not written."""
        return 4 * self.window.height * self.window.width * self.expand.rows

    def division(self, tile: Tile) -> Division | None:
        """Returns how the work is divided, None if these shapes do not allow it."""
        expand = self.expand
        return strips.divide(self.window, expand.rows, expand.n, tile.lanes)

    def function(self, name: str, tile: Tile) -> PrimFunc:
        """Returns the kernel.

        It takes ``x``, ``data, indices, indptr, bias`` of the first convolution,
        ``weights, bias`` of the depthwise one, the four of the last, ``others…, y``.

        Raises:
          ValueError: if there is no division.
        """
        division = self.division(tile)
        if division is None:
            raise ValueError(f"There are no strips for {self}.")
        window = self.window
        outputs = (1, *window.outputs, self.project.rows)
        others = epilogue.parameters(self.steps, outputs)
        inputs = (1, window.height, window.width, self.expand.columns)
        parameters = {
            "x": (inputs, "float32"),
            **self.expand.parameters("expand"),
            "weights": ((*window.taps, self.expand.rows), "float32"),
            "bias": ((self.expand.rows,), "float32"),
            **self.project.parameters("project"),
            **others,
            "y": (outputs, "float32"),
        }

        def body(**buffers: Buffer) -> None:
            read = [buffers[key] for key in others]
            _Emitter(self, division, tile, buffers, read).run()

        return function(name, parameters, body)


@dataclasses.dataclass(frozen=True)
class _Strip:
    """A strip of rows.

    Attributes:
      first: row of the output.
      top: row of the expanded map that it reads first; may lie above the map.
      begin: row of that map that it computes first.
      rows: that it computes of that map.
      carries: whether the rows before ``begin`` come from the strip before.
    """

    first: Value
    top: Value
    begin: Value
    rows: Value
    carries: Value


@dataclasses.dataclass(frozen=True)
class _Memory:
    """What a thread has for itself.

    Attributes:
      part: ``[read, width, slice]``, rows of the expanded map.
      carried: ``[slices, kept, width, slice]``, of all slices.
      filtered: ``[rows, width, channels]``, what the depthwise convolution computed.
    """

    part: Buffer
    carried: Buffer
    filtered: Buffer


@dataclasses.dataclass(frozen=True)
class _Emitter:
    layer: InvertedResidual
    division: Division
    tile: Tile
    buffers: dict[str, Buffer]
    others: Sequence[Buffer]

    def run(self) -> None:
        layer, division, window = self.layer, self.division, self.layer.window
        channels, width = layer.expand.rows, window.outputs[1]
        with tir.parallel(0, division.shares) as share:
            memory = _Memory(
                _floats(division.read * window.width * division.slice),
                _floats(division.kept * window.width * channels),
                _floats(division.rows * width * channels),
            )
            with tir.serial(0, division.strips) as number:
                strip = self._strip(share * division.strips + number, number)
                with tir.serial(0, channels // division.slice) as index:
                    self._carry_in(strip, index, memory)
                    self._expand(strip, index, memory)
                    self._filter(strip, index, memory)
                    self._carry_out(index, memory)
                self._project(strip, memory)

    def _strip(self, number: Value, of_share: Value) -> _Strip:
        division, window = self.division, self.layer.window
        first = number * division.rows
        top = first * window.strides[0] - window.padding[0]
        carries = of_share > 0
        begin = tir.if_then_else(carries, top + division.kept, tir.max(top, 0))
        end = tir.min(top + division.read, window.height)
        first, top, begin = kept(first, top, begin)
        [rows] = kept(end - begin)
        return _Strip(first, top, begin, rows, carries)

    @property
    def _fewest(self) -> int:
        """Pixels of the expanded map that a strip computes, at least."""
        return self.division.fewest * self.layer.window.width

    @property
    def _size(self) -> int:
        """Pixels in a tile of the first convolution."""
        most = self.tile.pixels(self._arrays("expand", None, None).width)
        common = self.division.rows * self.layer.window.strides[0]
        pixels = common * self.layer.window.width
        return min(-(-pixels // -(-pixels // most)), self._fewest)

    def _tiles(self, strip: _Strip) -> Value:
        pixels = strip.rows * self.layer.window.width
        return tir.floordiv(pixels + self._size - 1, self._size)

    def _first_pixel(self, strip: _Strip, number: Value) -> Value:
        """Returns where a tile begins; the last one computes some pixels again."""
        width, size = self.layer.window.width, self._size
        last = strip.rows * width - size
        [first] = kept(strip.begin * width + tir.min(number * size, last))
        return first

    def _carry_in(self, strip: _Strip, index: Value, memory: _Memory) -> None:
        if self.division.kept:
            size = self._carried
            with tir.If(strip.carries), tir.Then():
                copy(memory.carried, index * size, memory.part, 0, size)

    def _carry_out(self, index: Value, memory: _Memory) -> None:
        division, window = self.division, self.layer.window
        if division.kept:
            rows = division.rows * window.strides[0]
            first = rows * window.width * division.slice
            size = self._carried
            copy(memory.part, first, memory.carried, index * size, size)

    @property
    def _carried(self) -> int:
        division = self.division
        return division.kept * self.layer.window.width * division.slice

    def _expand(self, strip: _Strip, index: Value, memory: _Memory) -> None:
        division, width = self.division, self.layer.window.width
        arrays = dataclasses.replace(
            self._arrays("expand", self.buffers["x"], memory.part),
            y_pitch=division.slice,
            shift=(strip.top * width + index) * division.slice,
        )
        rows = division.slice // arrays.n
        with tir.serial(0, self._tiles(strip)) as number:
            first = self._first_pixel(strip, number)
            with tir.serial(0, rows) as row:
                [row] = kept(index * rows + row)
                direct.emit_rows(arrays, row, first, self._size)

    def _filter(self, strip: _Strip, index: Value, memory: _Memory) -> None:
        layer, division, window = self.layer, self.division, self.layer.window
        channels = layer.expand.rows
        skipped = index * division.slice
        emitter = Emitter(
            *(window, channels, layer.depthwise_steps),
            *(self.buffers["weights"], self.buffers["bias"], []),
            Rows(memory.part, window.width, division.slice, -strip.top, skipped),
            Rows(memory.filtered, window.outputs[1], channels, -strip.first),
            self.tile.depthwise,
        )
        for first, count, lanes in chunks(division.slice, self.tile.lanes):
            with tir.serial(0, count) as chunk, tir.serial(0, division.rows) as row:
                row, channel = kept(strip.first + row, skipped + first + chunk * lanes)
                emitter.emit_row(row, channel, lanes)

    def _project(self, strip: _Strip, memory: _Memory) -> None:
        width = self.layer.window.outputs[1]
        arrays = dataclasses.replace(
            self._arrays("project", memory.filtered, self.buffers["y"]),
            shift=-(strip.first * width * self.layer.project.rows),
        )
        product.emit(arrays, self.division.rows * width, self.tile, tir.serial)

    def _arrays(self, prefix: str, x: Buffer | None, y: Buffer | None) -> Arrays:
        is_last = prefix == "project"
        blocks = self.layer.project if is_last else self.layer.expand
        data, indices, indptr, bias = (
            self.buffers[f"{prefix}_{name}"]
            for name in ("data", "indices", "indptr", "bias")
        )
        return Arrays(
            *(x, data, indices, indptr, bias, self.others if is_last else [], y),
            *(blocks.rows, blocks.columns, blocks.n),
            self.layer.steps if is_last else self.layer.expand_steps,
        )


def _floats(count: int) -> Buffer:
    return tir.alloc_buffer((max(1, count),), "float32", scope="global")
