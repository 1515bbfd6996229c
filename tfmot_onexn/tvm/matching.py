"""Finds which operators of a graph one kernel computes."""

import dataclasses
import math
from typing import Any

import numpy as np
from tvm import relax

from tfmot_onexn.tvm.graph import Graph, operation, shape_of
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar, Step


@dataclasses.dataclass
class Tail:
    """What happens to a result until something else reads it.

    Attributes:
      variable: the last one's.
      steps: in order.
      others: what the operands read: variables, or arrays for constants.
      taken: the bindings that are computed along.
    """

    variable: Any
    steps: list[Step] = dataclasses.field(default_factory=list)
    others: list[Any] = dataclasses.field(default_factory=list)
    taken: list[Any] = dataclasses.field(default_factory=list)

    def take(self, step: Step, binding: Any, other: Any = None) -> None:
        """Adds a step."""
        self.steps.append(step)
        if other is not None:
            self.others.append(other)
        self.taken.append(binding)
        self.variable = binding.var

    def bias(self, channels: int) -> np.ndarray:
        """Removes a bias, if it comes first, and returns it, else zeros."""
        first = self.steps[0] if self.steps else None
        if (
            isinstance(first, Operand)
            and (first.kind, first.per_channel) == ("add", True)
            and isinstance(self.others[0], np.ndarray)
        ):
            del self.steps[0]
            return self.others.pop(0)
        return np.zeros(channels, np.float32)


def tail(graph: Graph, binding: Any) -> Tail:
    """Follows a result as long as a kernel can take along what alone reads it."""
    found = Tail(binding.var)
    while _take_hard_swish(graph, found) or _take_step(graph, found):
        pass
    return found


def step_of(graph: Graph, binding: Any, variable: Any) -> tuple[Step, Any] | None:
    """Returns the step that a binding is for a variable it reads, and the operand."""
    name, arguments = operation(binding), binding.value.args
    if name == "nn.relu":
        return Clip(0.0, math.inf), None
    if name == "clip":
        return Clip(*(float(limit.value) for limit in arguments[1:])), None
    if name not in ("add", "subtract", "multiply", "divide"):
        return None
    if shape_of(binding.var) != shape_of(variable):
        return None
    other = arguments[1] if arguments[0].same_as(variable) else arguments[0]
    if name in ("subtract", "divide") and not arguments[0].same_as(variable):
        return None
    return _binary(graph, name, variable, other)


def _binary(
    graph: Graph, name: str, variable: Any, other: Any
) -> tuple[Step, Any] | None:
    shape = shape_of(variable)
    constant = graph.constant(other)
    if constant is not None and constant.size == 1:
        value = float(constant.reshape(()))
        if name == "divide" and value == 0.0:
            return None
        if name in ("subtract", "divide"):
            name, value = (
                ("add", -value) if name == "subtract" else ("multiply", 1.0 / value)
            )
        return Scalar(name, value), None
    if name in ("subtract", "divide"):
        return None
    size = math.prod(shape_of(other))
    channels = shape[-1:]
    # one value per channel, for all pixels of a single image
    broadcast = bool(channels) and (size,) == channels == shape_of(other)[-1:]
    if broadcast and (constant is not None or math.prod(shape[:1]) == 1):
        flat = None if constant is None else constant.astype(np.float32).reshape(-1)
        if flat is not None:
            return Operand(name, flat.shape), flat
        return Operand(name, shape_of(other)), other
    if shape_of(other) == shape and not other.same_as(variable):
        return Operand(name), other if constant is None else constant
    return None


def _take_step(graph: Graph, found: Tail) -> bool:
    binding = graph.only_reader(found.variable)
    if binding is None:
        return False
    step = step_of(graph, binding, found.variable)
    if step is None:
        return False
    found.take(step[0], binding, step[1])
    return True


def _take_hard_swish(graph: Graph, found: Tail) -> bool:
    """Takes x · clip(x + 3, 0, 6), and a division by 6 behind it, as one step."""
    x = found.variable
    readers = graph.readers(x)
    if len(readers) != 2 or graph.is_result(x):
        return False
    plus = next((each for each in readers if operation(each) == "add"), None)
    times = next((each for each in readers if operation(each) == "multiply"), None)
    if plus is None or times is None or {plus.var, times.var} & graph.taken:
        return False
    gate = graph.only_reader(plus.var)
    if gate is None or operation(gate) != "clip" or graph.only_reader(gate.var) is None:
        return False
    if not any(arg.same_as(gate.var) for arg in times.value.args):
        return False
    if step_of(graph, plus, x) != (Scalar("add", 3.0), None):
        return False
    if step_of(graph, gate, plus.var) != (Clip(0.0, 6.0), None):
        return False
    sixth = graph.only_reader(times.var)
    step = None if sixth is None else step_of(graph, sixth, times.var)
    if step is None or not isinstance(step[0], Scalar) or step[0].kind != "multiply":
        return False
    if not math.isclose(step[0].value, 1 / 6, rel_tol=1e-6):
        return False
    found.taken += [plus, gate, times]
    found.take(HardSwish(), sixth)
    return True


def padding_before(graph: Graph, variable: Any) -> tuple[Any, tuple[int, ...], Any]:
    """Looks through a zero padding of height and width.

    Returns:
      What is padded, the padding at the top, left, bottom and right, and the binding
      that pads, None without one.
    """
    binding = graph.binding(variable) if isinstance(variable, relax.Var) else None
    none = variable, (0, 0, 0, 0), None
    if binding is None or operation(binding) != "nn.pad":
        return none
    if graph.only_reader(variable) is None:
        return none
    found = padding_of(binding)
    return none if found is None else (binding.value.args[0], found, binding)


def padding_of(binding: Any) -> tuple[int, int, int, int] | None:
    """Returns the padding of a binding that pads height and width with zeros."""
    attributes = binding.value.attrs
    widths = [int(width) for width in attributes.pad_width]
    if str(attributes.pad_mode) != "constant" or float(attributes.pad_value) != 0.0:
        return None
    if len(widths) != 8 or any(widths[:2] + widths[6:]) or min(widths) < 0:
        return None
    top, bottom, left, right = widths[2:6]
    return top, left, bottom, right
