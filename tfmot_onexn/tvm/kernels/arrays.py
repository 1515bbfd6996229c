"""What kernels with 1xN blocks read and write."""

import dataclasses
import math
from collections.abc import Callable, Sequence

from tvm.tirx import PrimFunc
from tvm.tirx.script.builder import ir as build

from tfmot_onexn.tvm.kernels import epilogue, tir
from tfmot_onexn.tvm.kernels.epilogue import Step
from tfmot_onexn.tvm.kernels.tir import Buffer, Value


@dataclasses.dataclass(frozen=True)
class Arrays:
    """Buffers of a kernel, flat, and what their indices mean.

    Attributes:
      x: the input, ``[pixels, x_pitch]``, the first ``columns`` of which are read.
      data: ``[nnz, window, n]``.
      indices: ``[nnz]``.
      indptr: ``[rows / n + 1]``.
      bias: ``[rows]``.
      others: what the steps read.
      y: the output, ``[pixels, y_pitch]``, the first ``rows`` of which are written.
      rows: M, output channels.
      columns: K, input channels.
      n: output channels per block.
      steps: what happens to the sums.
      x_pitch: floats from a pixel of x to the next; 0 for ``columns``.
      y_pitch: the same of y; 0 for ``rows``.
      shift: floats that y's first pixel lies before its buffer; of a part of one.
    """

    x: Buffer
    data: Buffer
    indices: Buffer
    indptr: Buffer
    bias: Buffer
    others: Sequence[Buffer]
    y: Buffer
    rows: int
    columns: int
    n: int
    steps: tuple[Step, ...]
    x_pitch: int = 0
    y_pitch: int = 0
    shift: Value = 0

    def first_fetches(
        self, first: Value, size: int, count: int, emit: Callable[[bool], None]
    ) -> None:
        """Emits a tile twice: weights are fetched ahead in the first tile only.

        Of two threads, each has a first one. Later tiles find the weights in a cache.

        Args:
          first: where the tile begins.
          size: of a tile.
          count: of tiles; what is left has the next multiple as its beginning.
          emit: emits the tile; gets whether to fetch ahead.
        """
        begins = sorted({0, -(-count // 2) * size})
        if isinstance(first, int):
            emit(first in begins)
            return
        with build.If(build.Or(*(first == begin for begin in begins))):
            with build.Then():
                emit(True)
            with build.Else():
                emit(False)

    @property
    def width(self) -> int:
        """Channels that are computed together: a power of two that divides n."""
        return math.gcd(self.n, 16)

    def offset(self, pixel: Value, channel: Value) -> Value:
        """Returns where y has a channel of a pixel."""
        return pixel * (self.y_pitch or self.rows) + channel - self.shift

    def x_offset(self, pixel: Value, channel: Value) -> Value:
        """Returns where x has a channel of a pixel."""
        return pixel * (self.x_pitch or self.columns) + channel

    def finish(
        self, value: Value, pixel: Value, channel: Value, lanes: int = 0
    ) -> None:
        """Applies the steps to channels of a pixel and writes them.

        Args:
          value: the channels.
          pixel: its number.
          channel: the first one.
          lanes: how many; 0 for ``width``.
        """
        lanes = lanes or self.width
        offset = self.offset(pixel, channel)
        value = epilogue.apply(value, self.steps, self.others, offset, channel, lanes)
        tir.store(self.y, offset, value, lanes)


def sparse_function(
    name: str,
    inputs: Sequence[int],
    outputs: Sequence[int],
    blocks: tuple[int, int, int],
    steps: tuple[Step, ...],
    body: Callable[[Arrays], None],
    pitches: tuple[int, int] = (0, 0),
) -> PrimFunc:
    """Returns a kernel ``x, data, indices, indptr, bias, others…, y``.

    Args:
      name: of the function.
      inputs: the input's shape.
      outputs: the output's shape.
      blocks: how many are stored, and the window and n of each.
      steps: what happens to the sums.
      body: emits the statements.
      pitches: of x and y; see `Arrays`.
    """
    x_pitch, y_pitch = pitches
    rows, n = outputs[-1], blocks[-1]
    others = epilogue.parameters(steps, outputs)
    parameters = {
        "x": ((*inputs[:-1], x_pitch or inputs[-1]), "float32"),
        "data": (blocks, "float32"),
        "indices": ((blocks[0],), "int32"),
        "indptr": ((rows // n + 1,), "int32"),
        "bias": ((rows,), "float32"),
        **others,
        "y": ((*outputs[:-1], y_pitch or rows), "float32"),
    }

    def emit(x, data, indices, indptr, bias, y, **named) -> None:
        read = [named[key] for key in others]
        body(
            Arrays(
                *(x, data, indices, indptr, bias, read, y),
                *(rows, inputs[-1], n, steps, x_pitch, y_pitch),
            )
        )

    return tir.function(name, parameters, emit)
