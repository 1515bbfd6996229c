import dataclasses

import hypothesis
import numpy as np
import pytest
import scipy.sparse
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window

STEPS = [
    (),
    (Clip(0.0, 6.0),),
    (Clip(0.0, float("inf")), Operand("add")),
    (HardSwish(), Scalar("multiply", 0.5)),
]


def check(
    rng,
    shape,
    columns,
    n,
    steps=(),
    tile="avx512",
    density=0.5,
    spoil=None,
    apart=(0, 0),
):
    rows = shape[-1]
    steps = tuple(steps)
    kernel = rng.normal(size=(1, 1, columns, rows)).astype(np.float32)
    kernel, data, indices, indptr = tvm_kernels.blocks(rng, kernel, n, density)
    x = rng.normal(size=(*shape[:-1], columns)).astype(np.float32)
    bias = rng.normal(size=rows).astype(np.float32)
    others = tvm_kernels.others(rng, steps, shape)
    pitches = [size + more for size, more in zip((columns, rows), apart, strict=True)]
    product = Product(tuple(shape), columns, n, len(data), steps, *pitches)
    given = data if spoil is None else spoil(data)
    wide = np.full((*shape[:-1], pitches[0]), np.nan, np.float32)
    wide[..., :columns] = x
    arguments = [wide, given, indices, indptr, bias, *others]
    written = (*shape[:-1], pitches[1])
    found = tvm_kernels.run(product, tvm_kernels.TILES[tile], arguments, written)
    assert np.isnan(found[..., rows:]).all()
    found = found[..., :rows]
    matrix = scipy.sparse.bsr_array(
        (data[:, 0, :, None].astype(np.float64), indices, indptr),
        shape=(rows, columns),
        blocksize=(n, 1),
    )
    sums = (matrix @ x.reshape(-1, columns).T).T.reshape(shape) + bias
    tvm_kernels.assert_close(found, tvm_kernels.apply(sums, steps, others))


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 3, 4, 8, 16, 24, 32]),
    st.sampled_from(list(tvm_kernels.TILES)),
    st.integers(1, 3),
    st.integers(1, 60),
    st.integers(1, 40),
    st.sampled_from(STEPS),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_products(seed, n, tile, batch, pixels, columns, steps, density):
    rng = np.random.default_rng(seed)
    rows = n * int(rng.integers(1, 5))
    check(rng, (batch, pixels, 1, rows), columns, n, steps, tile, density)


@pytest.mark.parametrize("apart", [(16, 0), (0, 16), (16, 32)])
@pytest.mark.parametrize("n", [4, 16])
@pytest.mark.parametrize("pixels", [1, 70])
def test_pixels_that_are_set_apart(pixels, n, apart, rng):
    check(rng, (1, pixels, 1, 32), 20, n, [Clip(0.0, 6.0)], apart=apart)


@pytest.mark.parametrize("columns", [512, 1024])
@pytest.mark.parametrize("pixels", [100, 30])
def test_channels_that_share_sets_of_the_cache(columns, pixels, rng):
    check(rng, (1, pixels, 1, 64), columns, 16, density=1.0)


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("pixels", [49, 52, 55, 196, 250])
def test_pixels_that_fill_no_vector(n, pixels, rng):
    check(rng, (1, pixels, 1, 2 * n), 20, n, [Clip(0.0, 6.0), Operand("add")])


@pytest.mark.parametrize("n", [2, 4, 8])
@pytest.mark.parametrize("isa", tvm_kernels.TILES)
def test_a_search_may_take_half_vectors(monkeypatch, isa, n, rng):
    tile = tvm_kernels.TILES[isa]
    half = dataclasses.replace(tile, lanes=tile.lanes // 2, least_direct=16)
    monkeypatch.setitem(tvm_kernels.TILES, isa, half)
    check(rng, (1, 40, 1, 16), 20, n, [Clip(0.0, 6.0)], isa)


@pytest.mark.parametrize("shape", [(1, 10), (1, 1, 1, 10), (2, 1, 1, 10)])
def test_one_pixel_and_fully_connected_layers(shape, rng):
    check(rng, shape, 37, 2, [Clip(0.0, 6.0)])


def test_a_gate_of_each_channel(rng):
    gate = Operand("multiply", (1, 1, 1, 16))
    check(rng, (1, 5, 5, 16), 9, 8, [gate, Clip(0.0, 6.0)])


def test_a_wrong_block_is_seen(rng):
    def spoil(data):
        changed = data.copy()
        changed[-1] = 0
        return changed

    with pytest.raises(AssertionError):
        check(rng, (1, 30, 1, 16), 20, 8, density=1.0, spoil=spoil)


def test_what_moves_only():
    assert Window(1, 4, 4, (1, 1)).moves_only
    assert not Window(1, 4, 4, (1, 1), strides=(2, 2)).moves_only
