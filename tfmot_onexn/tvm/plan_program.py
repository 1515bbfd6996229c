"""A network as a list of kernel calls, in the order in which they run."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A whole buffer, as one reader sees it.

    Attributes:
      buffer: its index.
      shape: so many elements as the buffer has.
      dtype: NumPy's name.
    """

    buffer: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclasses.dataclass(frozen=True)
class Call:
    """A call of a kernel.

    Attributes:
      kernel: its name.
      tensors: indices of those it reads, then of those it writes.
      outputs: how many it writes.
    """

    kernel: str
    tensors: tuple[int, ...]
    outputs: int


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or an output of the network.

    Attributes:
      name: unique among its kind.
      tensor: its index.
    """

    name: str
    tensor: int


@dataclasses.dataclass
class Program:
    """A network.

    Attributes:
      buffers: the content of each, None if it is written while the network runs.
      tensors: what calls read and write.
      calls: in order.
      inputs: in order.
      outputs: in order; one may also be an input or a constant.
    """

    buffers: list[np.ndarray | None] = dataclasses.field(default_factory=list)
    tensors: list[Tensor] = dataclasses.field(default_factory=list)
    calls: list[Call] = dataclasses.field(default_factory=list)
    inputs: list[Port] = dataclasses.field(default_factory=list)
    outputs: list[Port] = dataclasses.field(default_factory=list)

    def add(
        self, shape: tuple[int, ...], dtype: str, content: np.ndarray | None = None
    ) -> int:
        """Adds a buffer; returns its tensor."""
        self.buffers.append(content)
        return self.view(len(self.buffers) - 1, shape, dtype)

    def view(self, buffer: int, shape: tuple[int, ...], dtype: str) -> int:
        """Adds a tensor; returns its index."""
        self.tensors.append(Tensor(buffer, shape, dtype))
        return len(self.tensors) - 1

    @property
    def kernels(self) -> list[str]:
        """The kernels that are called, each once."""
        return list(dict.fromkeys(call.kernel for call in self.calls))
