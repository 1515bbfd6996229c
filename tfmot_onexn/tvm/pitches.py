"""Sets pixels of a feature map apart where they would crowd each other out of a cache.

Where the channels of a pixel take a multiple of some kilobytes, the same channel of all
pixels shares few sets of the L1 cache. A line between two pixels spreads them over all.
"""

import dataclasses
from collections.abc import Sequence

from tfmot_onexn.tvm.graph import Graph, shape_of
from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.layers import Layer
from tfmot_onexn.tvm.tiles import LINE, Tile

_SPREADABLE = Product | Depthwise


def spread(graph: Graph, found: Sequence[Layer], tile: Tile) -> list[Layer]:
    """Sets pixels apart where layers write and read them that can do so.

    Args:
      graph: that the layers are of.
      found: the layers, in order.
      tile: of the processor.

    Returns:
      The layers, some with other kernels.
    """
    readers = {
        layer.arguments[0]: layer
        for layer in found
        if graph.is_only_read_by(layer.arguments[0], layer.taken)
    }
    pitches = {}
    for layer in found:
        reader = readers.get(layer.result)
        if reader is not None and _is_crowded(layer, reader, tile):
            pitches[layer.result] = shape_of(layer.result)[-1] + LINE
    return [_with_pitches(layer, pitches) for layer in found]


def _is_crowded(layer: Layer, reader: Layer, tile: Tile) -> bool:
    written, read = layer.kernel, reader.kernel
    if not isinstance(written, _SPREADABLE) or not isinstance(read, _SPREADABLE):
        return False
    # an operand would have to be set apart as well
    if any(not step.per_channel for step in epilogue.operands(written.steps)):
        return False
    *_, channels = shape_of(layer.result)
    if isinstance(read, Depthwise):
        needed = read.window.taps[0] * read.window.width
    else:
        needed = tile.pixels(LINE)
    return tile.resident(channels) < needed < tile.resident(channels + LINE)


def _with_pitches(layer: Layer, pitches: dict) -> Layer:
    kernel = layer.kernel
    if not isinstance(kernel, _SPREADABLE):
        return layer
    x, y = pitches.get(layer.arguments[0], 0), pitches.get(layer.result, 0)
    if not x and not y:
        return layer
    kernel = dataclasses.replace(kernel, x_pitch=x, y_pitch=y)
    return dataclasses.replace(layer, kernel=kernel)
