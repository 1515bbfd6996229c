import numpy as np
import pytest
import tvm_kernels

from tfmot_onexn.tvm import candidates, tune
from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.epilogue import Clip, Operand
from tfmot_onexn.tvm.kernels.pointwise import Softmax
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window

WINDOW = Window(1, 9, 31, (3, 3), (2, 2), padding=(1, 1, 1, 1))
KERNELS = {
    "narrow product": Product((1, 7, 7, 24), 21, 4, 63, (Clip(0.0, 6.0),)),
    "wide product": Product((1, 5, 11, 64), 37, 16, 74, (Operand("add"),)),
    "convolution": Convolution(WINDOW, 32, 5, 16, 6),
    "depthwise": Depthwise(WINDOW, 27, (Clip(0.0, 6.0),)),
}


def found(name, tile="avx512", quick=False):
    return candidates.candidates(KERNELS[name], tvm_kernels.TILES[tile], quick)


@pytest.mark.parametrize("name", KERNELS)
def test_every_candidate_computes_the_same(name, rng):
    kernel = KERNELS[name]
    tiles = found(name)
    function = kernel.function("kernel", tiles[0])
    *given, output = tune.arrays(kernel, function, rng)
    first, *others = (
        tvm_kernels.run(kernel, tile, given, output.shape) for tile in tiles
    )
    assert np.abs(first).max() > 0.1
    assert len(others) >= 3
    for other in others:
        tvm_kernels.assert_close(other, first)


@pytest.mark.parametrize("tile", tvm_kernels.TILES)
@pytest.mark.parametrize("name", KERNELS)
def test_the_processors_tile_is_first_and_no_two_are_alike(name, tile):
    tiles = found(name, tile)
    assert tiles[0] == tvm_kernels.TILES[tile]
    written = {str(KERNELS[name].function("kernel", each)) for each in tiles}
    assert len(written) == len(tiles)
    # two sums fill the registers of the smallest
    assert len(tiles) > 1 or tile == "neon32"
    assert len(found(name, tile, quick=True)) <= len(tiles)


def test_narrow_blocks_may_take_pixels_as_they_lie():
    choices = {(each.least_direct, each.lanes) for each in found("narrow product")}
    assert choices == {(16, 16), (16, 8), (0, 16)}
    assert {each.least_direct for each in found("wide product")} == {16}


def test_wide_blocks_may_take_transposed_pixels():
    assert {each.transposes for each in found("wide product")} == {None, False, True}


def test_other_kernels_have_nothing_to_choose():
    tile = tvm_kernels.TILES["avx2"]
    assert candidates.candidates(Softmax((1, 9)), tile) == [tile]
