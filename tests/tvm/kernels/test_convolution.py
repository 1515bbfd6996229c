import hypothesis
import numpy as np
import pytest
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.epilogue import Clip, Operand
from tfmot_onexn.tvm.kernels.window import Window


def check(rng, window, columns, rows, n, steps=(), tile="avx512"):
    kernel = rng.normal(size=(*window.taps, columns, rows)).astype(np.float32)
    kernel, data, indices, indptr = tvm_kernels.blocks(rng, kernel, n)
    x = rng.normal(size=(window.batch, window.height, window.width, columns))
    x = x.astype(np.float32)
    bias = rng.normal(size=rows).astype(np.float32)
    shape = (window.batch, *window.outputs, rows)
    others = tvm_kernels.others(rng, steps, shape)
    convolution = Convolution(window, rows, columns, n, len(data), tuple(steps))
    arguments = [x, data, indices, indptr, bias, *others]
    found = tvm_kernels.run(convolution, tvm_kernels.TILES[tile], arguments, shape)
    sums = tvm_kernels.convolve(x, kernel, bias, window)
    tvm_kernels.assert_close(found, tvm_kernels.apply(sums, steps, others))


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    st.integers(0, 2**32 - 1),
    tvm_kernels.moving_windows(),
    st.sampled_from([1, 3, 8, 16, 32]),
    st.sampled_from(list(tvm_kernels.TILES)),
    st.integers(1, 20),
    st.sampled_from([(), (Clip(0.0, 6.0),), (Operand("add"), Clip(0.0, 9.0))]),
)
def test_convolutions(seed, window, n, tile, columns, steps):
    rng = np.random.default_rng(seed)
    check(rng, window, columns, n * int(rng.integers(1, 4)), n, steps, tile)


def test_rows_that_are_longer_than_a_tile(rng):
    check(rng, Window(1, 5, 61, (3, 3), padding=(1, 1, 1, 1)), 3, 16, 16)


@pytest.mark.parametrize("columns", [256, 512])
def test_pixels_that_would_crowd_each_other_out(columns, rng):
    check(rng, Window(2, 7, 9, (3, 3), padding=(1, 1, 1, 1)), columns, 32, 16)


def test_a_wrong_window_is_seen(rng, monkeypatch):
    window = Window(1, 6, 6, (3, 3), padding=(1, 1, 1, 1))
    check(rng, window, 4, 8, 8)
    shifted = Window(1, 6, 6, (3, 3), padding=(0, 0, 2, 2))
    monkeypatch.setattr(
        tvm_kernels, "convolve", lambda x, k, b, _: _CONVOLVE(x, k, b, shifted)
    )
    with pytest.raises(AssertionError):
        check(rng, window, 4, 8, 8)


_CONVOLVE = tvm_kernels.convolve
