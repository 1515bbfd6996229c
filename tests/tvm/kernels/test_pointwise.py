import numpy as np
import pytest
import scipy.special
import tvm_kernels
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar
from tfmot_onexn.tvm.kernels.pointwise import Pad, Pool, Softmax, Steps
from tfmot_onexn.tvm.kernels.window import Window

TILES = pytest.mark.parametrize("tile", tvm_kernels.TILES)
STEPS = (
    Scalar("multiply", 2.0),
    Scalar("add", -1.0),
    HardSwish(),
    Clip(-1.0, 4.0),
    Operand("add"),
    Operand("multiply", (1, 1, 1, 37)),
)


@TILES
def test_steps(tile, rng):
    shape = (1, 3, 4, 37)
    x = rng.normal(size=shape).astype(np.float32)
    others = tvm_kernels.others(rng, STEPS, shape)
    kernel = Steps(shape, STEPS)
    found = tvm_kernels.run(kernel, tvm_kernels.TILES[tile], [x, *others], shape)
    tvm_kernels.assert_close(found, tvm_kernels.apply(x, STEPS, others))


@TILES
@pytest.mark.parametrize("shape", [(2, 37), (2, 1, 1, 37)])
def test_means_of_images(tile, shape, rng):
    x = rng.normal(size=(2, 5, 6, 37)).astype(np.float32)
    kernel = Pool(Window(2, 5, 6, (5, 6)), 37, "mean", shape, steps=(Clip(0.0, 1.0),))
    found = tvm_kernels.run(kernel, tvm_kernels.TILES[tile], [x], shape)
    expected = np.clip(x.mean(axis=(1, 2)), 0, 1).reshape(shape)
    tvm_kernels.assert_close(found, expected)


@settings(max_examples=25)
@given(
    st.integers(0, 2**32 - 1),
    tvm_kernels.moving_windows(),
    st.sampled_from(["max", "mean"]),
    st.booleans(),
    st.sampled_from(list(tvm_kernels.TILES)),
)
def test_pools(seed, window, kind, count_padding, tile):
    rng = np.random.default_rng(seed)
    # each window reads at least one pixel that is there
    padding = tuple(min(pad, window.taps[0] - 1) for pad in window.padding)
    if window.dilation != (1, 1) or padding != window.padding:
        return
    x = rng.normal(size=(window.batch, window.height, window.width, 5))
    x = x.astype(np.float32)
    shape = (window.batch, *window.outputs, 5)
    kernel = Pool(window, 5, kind, shape, count_padding)
    found = tvm_kernels.run(kernel, tvm_kernels.TILES[tile], [x], shape)
    outside = -np.inf if kind == "max" else 0.0
    top, left, bottom, right = window.padding
    pads = ((0, 0), (top, bottom), (left, right), (0, 0))
    padded = np.pad(x, pads, constant_values=outside)
    inside = np.pad(np.ones_like(x), pads)
    bare = Window(window.batch, *padded.shape[1:3], window.taps, window.strides)
    reads = np.stack(list(tvm_kernels.windows(padded, bare)))
    counts = np.stack(list(tvm_kernels.windows(inside, bare))).sum(axis=0)
    if kind == "max":
        expected = reads.max(axis=0)
    elif count_padding:
        expected = reads.sum(axis=0) / len(reads)
    else:
        expected = reads.sum(axis=0) / counts
    there = counts > 0
    tvm_kernels.assert_close(found[there], expected[there])


@TILES
def test_softmax(tile, rng):
    x = rng.normal(size=(3, 1000)).astype(np.float32) * 9
    found = tvm_kernels.run(Softmax((3, 1000)), tvm_kernels.TILES[tile], [x], (3, 1000))
    tvm_kernels.assert_close(found, scipy.special.softmax(x, axis=-1))


def test_zeros_around_a_feature_map(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    window = Window(2, 3, 4, (1, 1), padding=(1, 0, 2, 3))
    found = tvm_kernels.run(
        Pad(window, 5), tvm_kernels.TILES["avx2"], [x], (2, 6, 7, 5)
    )
    expected = np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0)))
    np.testing.assert_array_equal(found, expected)
