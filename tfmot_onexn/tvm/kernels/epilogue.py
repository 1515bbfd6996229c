"""What happens to a sum before it is written: bias is first, then any of these."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.tir import Buffer, Value, load, number


@dataclasses.dataclass(frozen=True)
class Clip:
    """``min(max(x, low), high)``."""

    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Scalar:
    """``x + value`` or ``x * value``."""

    kind: str
    value: float


@dataclasses.dataclass(frozen=True)
class HardSwish:
    """``x * clip(x + 3, 0, 6) / 6``."""


@dataclasses.dataclass(frozen=True)
class Operand:
    """``x + y`` or ``x * y``, y of the output's shape, or one value per channel.

    Attributes:
      kind: "add" or "multiply".
      shape: of y where it is one value per channel, such as ``[1, 1, 1, channels]``.
    """

    kind: str
    shape: tuple[int, ...] | None = None

    @property
    def per_channel(self) -> bool:
        """Whether y is one value per channel."""
        return self.shape is not None


Step: TypeAlias = Clip | Scalar | HardSwish | Operand


def operands(steps: Sequence[Step]) -> list[Operand]:
    """Returns the steps that read another feature map."""
    return [step for step in steps if isinstance(step, Operand)]


def apply(
    value: Value,
    steps: Sequence[Step],
    others: Sequence[Buffer],
    offset: Value,
    channel: Value,
    lanes: int,
) -> Value:
    """Applies steps to lanes of channels next to each other.

    Args:
      value: the lanes.
      steps: in order.
      others: what the operands read, in order.
      offset: of the first lane in the output.
      channel: of the first lane.
      lanes: how many.
    """
    left = list(others)
    for step in steps:
        if isinstance(step, Clip):
            value = tir.max(value, number(step.low, lanes))
            if step.high != float("inf"):
                value = tir.min(value, number(step.high, lanes))
        elif isinstance(step, HardSwish):
            gate = tir.max(value + number(3.0, lanes), number(0.0, lanes))
            gate = tir.min(gate, number(6.0, lanes))
            value = value * number(1 / 6, lanes) * gate
        elif isinstance(step, Scalar):
            other = number(step.value, lanes)
            value = value + other if step.kind == "add" else value * other
        else:
            at = channel if step.per_channel else offset
            other = load(left.pop(0), at, lanes)
            value = value + other if step.kind == "add" else value * other
    return value


def parameters(
    steps: Sequence[Step], shape: Sequence[int]
) -> dict[str, tuple[Sequence[int], str]]:
    """Returns the parameters of the operands, for an output of some shape."""
    return {
        f"other{i}": (shape if other.shape is None else other.shape, "float32")
        for i, other in enumerate(operands(steps))
    }
