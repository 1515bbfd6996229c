"""Replaces operators of a Relax module by calls of our kernels."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import IRModule, relax

from tfmot_onexn.tvm import fusion, layers, pitches
from tfmot_onexn.tvm import graph as graph_lib
from tfmot_onexn.tvm.graph import Graph, operation, shape_of
from tfmot_onexn.tvm.layers import Kernel, Layer
from tfmot_onexn.tvm.tiles import Tile

# what costs nothing, however it is compiled
_FREE = {"reshape", "permute_dims", "call_tir"}
_TUPLES = relax.Tuple | relax.TupleGetItem


@dataclasses.dataclass(frozen=True)
class Rewritten:
    """A module and what of it our kernels compute.

    Attributes:
      module: with ``main`` and the kernels.
      kernels: of ``main``, in order, with the name of the function of each.
      left: operators that TVM's own, unscheduled code computes.
    """

    module: IRModule
    kernels: list[tuple[str, Kernel]]
    left: list[str]


def rewrite(
    module: IRModule,
    tile: Tile,
    choose: Callable[[Kernel], Tile] | None = None,
    *,
    fuse: bool = True,
) -> Rewritten:
    """Rewrites ``main``.

    Args:
      module: from `frontend.load`, of static shapes.
      tile: of the processor.
      choose: returns the tile for a kernel, such as a `tuning_database.Chooser`.
      fuse: join layers; see `fusion`.

    Warns:
      of operators that no kernel computes, since TVM's own code for them is slow.
    """
    main = module["main"]
    graph = Graph(main)
    found = _layers(graph)
    if fuse:
        found = fusion.fuse(graph, found, tile)
    found = pitches.spread(graph, found, tile)
    calls = _Calls(module, choose or (lambda kernel: tile))
    bindings = []
    by_last = {layer.taken[-1].var: layer for layer in found}
    taken = {binding.var for layer in found for binding in layer.taken}
    for binding in graph.bindings:
        if binding.var in by_last:
            bindings.append(calls.binding(by_last[binding.var]))
        elif binding.var not in taken:
            bindings.append(binding)
    bindings = _used(bindings, main.body.body)
    left = _left(bindings)
    if left:
        warnings.warn(
            f"TVM's own code computes {', '.join(left)}, which is slow: there is no "
            "kernel for it here.",
            stacklevel=2,
        )
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    rewritten = calls.builder.get()
    function = relax.Function(main.params, body, main.ret_ty, attrs=main.attrs)
    function = function.without_attr("params")
    rewritten.update_func(module.get_global_var("main"), function)
    return Rewritten(rewritten, calls.kernels, left)


def _left(bindings: list[Any]) -> list[str]:
    """Returns which operators TVM's own code computes."""
    return [
        f"{operation(binding) or 'a value'} of {binding.var.name}"
        for binding in bindings
        if not isinstance(binding.value, _TUPLES) and operation(binding) not in _FREE
    ]


def _layers(graph: Graph) -> list[Layer]:
    """Returns the layers of a graph; what begins first takes most along."""
    found: list[Layer] = []
    for leftovers in (False, True):
        for binding in graph.bindings:
            is_leftover = operation(binding) in layers.LEFTOVERS
            if binding.var in graph.taken or is_leftover is not leftovers:
                continue
            layer = layers.layer_of(graph, binding)
            if layer is not None:
                found.append(layer)
                graph.taken |= {each.var for each in layer.taken}
    return found


class _Calls:
    """Adds kernels to a module, each once, and calls them.

    Attributes:
      builder: of the module.
      kernels: that are called, in order, with the name of the function of each.
    """

    def __init__(self, module: IRModule, choose: Callable[[Kernel], Tile]) -> None:
        self.builder = relax.BlockBuilder(module)
        self.kernels: list[tuple[str, Kernel]] = []
        self._choose = choose
        self._functions: dict[Kernel, Any] = {}
        # what has its pixels set apart -> a variable of that shape
        self._wider: dict[Any, Any] = {}

    def binding(self, layer: Layer) -> Any:
        """Returns the call of a layer's kernel, bound to its result."""
        function = self._function(layer.kernel)
        self.kernels.append((str(function.name_hint), layer.kernel))
        arguments = [
            relax.const(np.ascontiguousarray(argument))
            if isinstance(argument, np.ndarray)
            else self._wider.get(argument, argument)
            for argument in layer.arguments
        ]
        result, shape = layer.result, shape_of(layer.result)
        pitch = getattr(layer.kernel, "y_pitch", 0)
        if pitch:
            shape = (*shape[:-1], pitch)
            result = relax.Var(result.name, relax.TensorType(shape, "float32"))
            self._wider[layer.result] = result
        call = relax.call_tir(function, arguments, relax.TensorType(shape, "float32"))
        return relax.VarBinding(result, call)

    def _function(self, kernel: Kernel) -> Any:
        if kernel not in self._functions:
            name = f"{type(kernel).__name__.lower()}_{len(self._functions)}"
            function = kernel.function(name, self._choose(kernel))
            function = function.without_attr("global_symbol")
            self._functions[kernel] = self.builder.add_func(function, name)
        return self._functions[kernel]


def _used(bindings: list[Any], result: Any) -> list[Any]:
    """Drops bindings that nothing reads."""
    needed = set(graph_lib.variables(result))
    kept = []
    for binding in reversed(bindings):
        if binding.var in needed:
            kept.append(binding)
            needed |= set(graph_lib.variables(binding.value))
    return kept[::-1]
