import dataclasses

import hypothesis
import numpy as np
import pytest
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels import planar
from tfmot_onexn.tvm.kernels.arrays import Arrays
from tfmot_onexn.tvm.kernels.epilogue import Clip, Operand
from tfmot_onexn.tvm.kernels.product import Product


def product_of(rng, shape, n, steps):
    """Returns a product and what it reads."""
    kernel = rng.normal(size=(1, 1, 21, shape[-1])).astype(np.float32)
    _, data, indices, indptr = tvm_kernels.blocks(rng, kernel, n)
    x = rng.normal(size=(*shape[:3], 21)).astype(np.float32)
    bias = rng.normal(size=shape[-1]).astype(np.float32)
    others = tvm_kernels.others(rng, steps, shape)
    product = Product(shape, 21, n, len(data), steps)
    return product, [x, data, indices, indptr, bias, *others]


@pytest.mark.parametrize("steps", [(Clip(0.0, 6.0),), (Operand("add"), Clip(0.0, 9.0))])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 8])
def test_it_computes_what_the_direct_product_does(n, steps, rng):
    tile = tvm_kernels.TILES["avx512"]
    shape = (1, 9, 7, 24)
    product, arguments = product_of(rng, shape, n, steps)
    found, direct = (
        tvm_kernels.run(product, each, arguments, shape)
        for each in (tile, dataclasses.replace(tile, least_direct=1))
    )
    tvm_kernels.assert_close(found, direct)


@pytest.mark.parametrize("steps", [(Clip(0.0, 6.0),), (Operand("add"), Clip(0.0, 9.0))])
@pytest.mark.parametrize("tile", list(tvm_kernels.TILES))
@pytest.mark.parametrize("n", [1, 2])
def test_groups_of_rows_compute_what_single_ones_do(n, tile, steps, rng, monkeypatch):
    tile = tvm_kernels.TILES[tile]
    shape = (1, 11, 13, 48)
    product, arguments = product_of(rng, shape, n, steps)
    found = tvm_kernels.run(product, tile, arguments, shape)
    monkeypatch.setattr(planar, "groups", lambda arrays, _: (48 // arrays.n, 1))
    tvm_kernels.assert_close(found, tvm_kernels.run(product, tile, arguments, shape))


def test_a_group_fills_a_vector():
    def of(rows, n, lanes):
        arrays = Arrays(*[None] * 7, rows, 0, n, ())
        return planar.groups(arrays, lanes)

    assert of(48, 1, 16) == (3, 16)
    assert of(48, 2, 4) == (12, 2)
    # 20 channels are no whole vectors
    assert of(20, 1, 16) == (20, 1)
    # wide enough
    assert of(48, 4, 16) == (12, 1)


def test_sums_fit_the_registers():
    tile = tvm_kernels.TILES["avx512"]
    assert planar.vectors(8, 1000, tile) == 3
    assert planar.vectors(1, 1000, tile) == 8
    assert planar.vectors(4, 40, tile) == 2
    # too few pixels for a vector
    assert planar.vectors(4, 15, tile) == 0


def test_a_tuned_tile_says_how_many_pixels():
    avx512 = tvm_kernels.TILES["avx512"]
    tuned = dataclasses.replace(avx512, most_pixels=48)
    assert planar.vectors(4, 49, tuned) == 3
    assert planar.vectors(4, 40, tuned) == 2
    fewer = dataclasses.replace(avx512, most_pixels=7)
    assert planar.vectors(4, 49, fewer) == 1


@hypothesis.given(
    st.integers(1, 5000),
    st.integers(1, 8),
    st.sampled_from([4, 8, 16]),
    st.sampled_from([1, 2, 4, 8]),
)
def test_pixels_are_divided(pixels, most, lanes, width):
    hypothesis.assume(pixels >= most * lanes)
    whole, last, single = planar.divide(pixels, most, lanes, width)
    assert single < width
    assert last <= most
    left = pixels - whole * most * lanes - single
    # the last tile computes fewer pixels again than a vector has
    assert 0 <= last * lanes - left < lanes
