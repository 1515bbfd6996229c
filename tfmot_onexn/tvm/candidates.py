"""Which tiles are worth a try for a kernel.

A candidate is the processor's tile with other values: fewer pixels, or outputs of a
row, at once; pixels as they lie, or transposed; vectors of half the width, of which few
channels leave less unused. Values that make no difference to a kernel are left out.
"""

import dataclasses
from typing import Any

import tvm_ffi

from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.layers import Kernel
from tfmot_onexn.tvm.tiles import Tile

# of a tile, for a kernel that takes pixels as they lie
_PIXELS = (28, 24, 20, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3)
_PIXELS_QUICK = (28, 14, 7, 4)
# vectors of a transposed tile
_VECTORS = (8, 6, 5, 4, 3, 2, 1)
_VECTORS_QUICK = (4, 2)
# outputs of a row
_OUTPUTS = (14, 10, 8, 7, 6, 5, 4, 3, 2)
_OUTPUTS_QUICK = (8, 4)
# blocks are at most so wide for a choice between as they lie and transposed
_NARROW = 16
# what the least vector has
_LEAST_LANES = 4


def candidates(kernel: Kernel, tile: Tile, quick: bool = False) -> list[Tile]:
    """Returns the tiles to try for a kernel, that of the processor first.

    Args:
      kernel: to be tuned.
      tile: of the processor.
      quick: only a few.

    Returns:
      Tiles for which the kernel's code differs; one where there is nothing to choose.
    """
    found: dict[int, Tile] = {}
    for changes in _changes(kernel, tile, quick):
        changed = dataclasses.replace(tile, **changes)
        code = tvm_ffi.structural_hash(kernel.function("kernel", changed))
        found.setdefault(code, changed)
    return list(found.values())


def _changes(kernel: Kernel, tile: Tile, quick: bool) -> list[dict[str, Any]]:
    changes: list[dict[str, Any]] = [{}]
    pixels = _PIXELS_QUICK if quick else _PIXELS
    if isinstance(kernel, Product):
        direct: dict[str, Any] = {"transposes": False}
        if kernel.n < _NARROW or kernel.n % _NARROW:
            direct["least_direct"] = 0
            for lanes in _lanes(tile):
                changes += [
                    {"lanes": lanes, "least_direct": _NARROW, "most_pixels": v * lanes}
                    for v in (_VECTORS_QUICK if quick else _VECTORS)
                ]
        changes += [{**direct, "most_pixels": most} for most in pixels]
        changes += [
            {**direct, "most_pixels": most, "transposes": True}
            for most in pixels
            if most >= tile.lanes
        ]
    elif isinstance(kernel, Convolution):
        changes += [{"most_pixels": most} for most in pixels]
    elif isinstance(kernel, Depthwise):
        for lanes in _lanes(tile):
            changes += [
                {"lanes": lanes, "depthwise": outputs}
                for outputs in (_OUTPUTS_QUICK if quick else _OUTPUTS)
            ]
    return changes


def _lanes(tile: Tile) -> tuple[int, ...]:
    """Returns whole vectors and half ones, where a processor has these."""
    half = tile.lanes // 2
    return (tile.lanes, half) if half >= _LEAST_LANES else (tile.lanes,)
