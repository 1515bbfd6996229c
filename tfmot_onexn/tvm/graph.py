"""The dataflow of a Relax function: what is bound to what, and who reads it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from tvm import ir, relax


def operation(binding: Any) -> str:
    """Returns the name of the operator that a binding calls, such as ``nn.conv2d``."""
    value = binding.value
    if isinstance(value, ir.Call) and isinstance(value.op, ir.Op):
        return str(value.op.name).removeprefix("relax.")
    return ""


def shape_of(expression: Any) -> tuple[int, ...]:
    """Returns the static shape of an expression.

    Raises:
      ValueError: if it has none.
    """
    shape: Any = getattr(expression.ty, "shape", None)
    try:
        return tuple(int(size) for size in shape)
    except TypeError as error:
        raise ValueError(f"{expression} has no static shape.") from error


class Graph:
    """The bindings of ``main`` in order, with their readers, and what is taken of them.

    Attributes:
      function: the function.
      bindings: in order.
      taken: variables that some layer computes already.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        self.bindings = [
            binding for block in function.body.blocks for binding in block.bindings
        ]
        self.taken: set[Any] = set()
        self._bound = {binding.var: binding for binding in self.bindings}
        self._readers: dict[Any, list[Any]] = {}
        for binding in self.bindings:
            for used in variables(binding.value):
                self._readers.setdefault(used, []).append(binding)
        self._results = {
            variable
            for result in (function.body.body, *results(function))
            for variable in variables(result)
        }

    def readers(self, variable: Any) -> Sequence[Any]:
        """Returns the bindings that read a variable, each as often as it does."""
        return self._readers.get(variable, [])

    def is_result(self, variable: Any) -> bool:
        """Whether the function returns a variable."""
        return variable in self._results

    def only_reader(self, variable: Any) -> Any | None:
        """Returns the binding that alone reads a variable, unless it is taken."""
        readers = self.readers(variable)
        if len(readers) != 1 or self.is_result(variable):
            return None
        return None if readers[0].var in self.taken else readers[0]

    def is_only_read_by(self, variable: Any, bindings: Sequence[Any]) -> bool:
        """Whether one of some bindings alone reads a variable, once."""
        readers = self.readers(variable)
        own = {binding.var for binding in bindings}
        return (
            len(readers) == 1 and readers[0].var in own and not self.is_result(variable)
        )

    def binding(self, variable: Any) -> Any | None:
        """Returns what binds a variable, None for a parameter."""
        return self._bound.get(variable)

    def constant(self, expression: Any) -> np.ndarray | None:
        """Returns the value of a constant, also of a transposed one."""
        if isinstance(expression, relax.Var):
            binding = self.binding(expression)
            if binding is None or operation(binding) != "permute_dims":
                return None
            value = self.constant(binding.value.args[0])
            axes = [int(axis) for axis in binding.value.attrs.axes]
            return None if value is None else value.transpose(axes)
        for attribute in ("value", "data"):
            array: Any = getattr(expression, attribute, None)
            if hasattr(array, "numpy"):
                return array.numpy()
        return None


def results(function: Any) -> list[Any]:
    """Returns what a function returns: one expression, or the fields of its tuple."""
    result = function.body.body
    for block in function.body.blocks:
        for binding in block.bindings:
            if binding.var.same_as(result) and isinstance(binding.value, relax.Tuple):
                result = binding.value
    return list(result.fields) if isinstance(result, relax.Tuple) else [result]


def variables(expression: Any) -> list[Any]:
    """Returns the variables that an expression reads, each as often as it does."""
    found: list[Any] = []
    relax.analysis.post_order_visit(
        expression,
        lambda each: found.append(each) if isinstance(each, relax.Var) else None,
    )
    once = list(dict.fromkeys(found))
    if not isinstance(expression, ir.Call):
        return once
    direct = [arg for arg in expression.args if isinstance(arg, relax.Var)]
    return [var for var in once for _ in range(max(1, direct.count(var)))]
