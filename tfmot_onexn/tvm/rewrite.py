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
    builder = relax.BlockBuilder(module)
    functions: dict[Kernel, Any] = {}
    bindings, kernels, left = [], [], []
    # what has its pixels set apart -> a variable of that shape
    wider: dict[Any, Any] = {}
    by_last = {layer.taken[-1].var: layer for layer in found}
    taken = {binding.var for layer in found for binding in layer.taken}
    for binding in graph.bindings:
        layer = by_last.get(binding.var)
        if layer is not None:
            if layer.kernel not in functions:
                name = f"{_name(layer.kernel)}_{len(functions)}"
                chosen = tile if choose is None else choose(layer.kernel)
                function = layer.kernel.function(name, chosen)
                function = function.without_attr("global_symbol")
                functions[layer.kernel] = builder.add_func(function, name)
            variable = functions[layer.kernel]
            kernels.append((str(variable.name_hint), layer.kernel))
            bindings.append(_binding(variable, layer, wider))
        elif binding.var not in taken:
            bindings.append(binding)
    bindings = _used(bindings, main.body.body)
    for binding in bindings:
        is_free = isinstance(binding.value, _TUPLES) or operation(binding) in _FREE
        if not is_free:
            left.append(f"{operation(binding) or 'a value'} of {binding.var.name}")
    if left:
        warnings.warn(
            f"TVM's own code computes {', '.join(left)}, which is slow: there is no "
            "kernel for it here.",
            stacklevel=2,
        )
    block = relax.DataflowBlock(bindings)
    body = relax.SeqExpr([block], main.body.body)
    rewritten = builder.get()
    function = relax.Function(main.params, body, main.ret_ty, attrs=main.attrs)
    function = function.without_attr("params")
    rewritten.update_func(module.get_global_var("main"), function)
    return Rewritten(rewritten, kernels, left)


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


def _name(kernel: Kernel) -> str:
    return type(kernel).__name__.lower()


def _binding(function: Any, layer: Layer, wider: dict[Any, Any]) -> Any:
    """Returns the call of a kernel, and notes where its result is wider."""
    arguments = [
        relax.const(np.ascontiguousarray(argument))
        if isinstance(argument, np.ndarray)
        else wider.get(argument, argument)
        for argument in layer.arguments
    ]
    result, shape = layer.result, shape_of(layer.result)
    pitch = getattr(layer.kernel, "y_pitch", 0)
    if pitch:
        shape = (*shape[:-1], pitch)
        result = relax.Var(result.name, relax.TensorType(shape, "float32"))
        wider[layer.result] = result
    call = relax.call_tir(function, arguments, relax.TensorType(shape, "float32"))
    return relax.VarBinding(result, call)


def _used(bindings: list[Any], result: Any) -> list[Any]:
    """Drops bindings that nothing reads."""
    needed = set(graph_lib.variables(result))
    kept = []
    for binding in reversed(bindings):
        if binding.var in needed:
            kept.append(binding)
            needed |= set(graph_lib.variables(binding.value))
    return kept[::-1]
