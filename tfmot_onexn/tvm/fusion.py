"""Joins layers into one kernel, where maps between them would fill the caches."""

import math
from collections.abc import Sequence

from tfmot_onexn.tvm.graph import Graph
from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.inverted_residual import Blocks, InvertedResidual
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.layers import Layer
from tfmot_onexn.tvm.tiles import Tile

# of the expanded map; what is smaller stays in the L2 cache, and separate kernels use
# their weights better
_LEAST_BYTES = 512 << 10
# the input is read again for each slice of the expanded map
_LEAST_EXPANSION = 3
# of channels in a block; narrower ones leave parts of cache lines in a slice
_LEAST_WIDTH = 16


def fuse(graph: Graph, found: Sequence[Layer], tile: Tile) -> list[Layer]:
    """Joins 1x1 convolution, depthwise convolution and 1x1 convolution.

    Args:
      graph: that the layers are of.
      found: the layers, in order.
      tile: of the processor.

    Returns:
      The layers, with one in place of three where that is faster.
    """
    by_result = {layer.result: layer for layer in found}
    by_input = {
        layer.arguments[0]: layer
        for layer in found
        if graph.is_only_read_by(layer.arguments[0], layer.taken)
    }
    joined: dict[int, Layer | None] = {}
    for layer in found:
        first, last = by_result.get(layer.arguments[0]), by_input.get(layer.result)
        if first is None or last is None or by_input.get(first.result) is not layer:
            continue
        if id(first) in joined:
            continue
        one = _joined(first, layer, last, tile)
        if one is not None:
            joined |= {id(first): None, id(layer): None, id(last): one}
    kept = (joined.get(id(layer), layer) for layer in found)
    return [layer for layer in kept if layer is not None]


def _joined(first: Layer, middle: Layer, last: Layer, tile: Tile) -> Layer | None:
    expand, depthwise, project = first.kernel, middle.kernel, last.kernel
    if (
        not isinstance(expand, Product)
        or not isinstance(depthwise, Depthwise)
        or not isinstance(project, Product)
        or epilogue.operands((*expand.steps, *depthwise.steps))
    ):
        return None
    kernel = InvertedResidual(
        depthwise.window,
        _blocks(expand),
        expand.steps,
        depthwise.steps,
        _blocks(project),
        project.steps,
    )
    if kernel.division(tile) is None or not _pays(kernel):
        return None
    arguments = (*first.arguments, *middle.arguments[1:], *last.arguments[1:])
    taken = (*first.taken, *middle.taken, *last.taken)
    return Layer(kernel, arguments, last.result, taken)


def _pays(kernel: InvertedResidual) -> bool:
    expand = kernel.expand
    return (
        kernel.expanded_bytes >= _LEAST_BYTES
        and expand.rows >= _LEAST_EXPANSION * expand.columns
        and math.gcd(expand.n, _LEAST_WIDTH) == _LEAST_WIDTH
    )


def _blocks(product: Product) -> Blocks:
    return Blocks(product.shape[-1], product.columns, product.n, product.blocks)
