import hypothesis
import numpy as np
import pytest
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish
from tfmot_onexn.tvm.kernels.window import Window


def check(rng, window, channels, steps=(), tile="avx512", spoil=None, apart=(0, 0)):
    weights = rng.normal(size=(*window.taps, channels)).astype(np.float32)
    x = rng.normal(size=(window.batch, window.height, window.width, channels))
    x = x.astype(np.float32)
    bias = rng.normal(size=channels).astype(np.float32)
    x_pitch, y_pitch = (channels + more for more in apart)
    shape = (window.batch, *window.outputs, y_pitch)
    depthwise = Depthwise(window, channels, tuple(steps), x_pitch, y_pitch)
    given = weights if spoil is None else spoil(weights)
    wide = np.full((*x.shape[:-1], x_pitch), np.nan, np.float32)
    wide[..., :channels] = x
    found = tvm_kernels.run(
        depthwise, tvm_kernels.TILES[tile], [wide, given, bias], shape
    )
    assert np.isnan(found[..., channels:]).all()
    found = found[..., :channels]
    sums = tvm_kernels.convolve_depthwise(x, weights, bias, window)
    tvm_kernels.assert_close(found, tvm_kernels.apply(sums, steps, []))


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    st.integers(0, 2**32 - 1),
    tvm_kernels.moving_windows(most=20),
    st.sampled_from(list(tvm_kernels.TILES)),
    st.integers(1, 40),
    st.sampled_from([(), (Clip(0.0, 6.0),), (HardSwish(),)]),
)
def test_depthwise_convolutions(seed, window, tile, channels, steps):
    check(np.random.default_rng(seed), window, channels, steps, tile)


@pytest.mark.parametrize("apart", [(16, 0), (0, 16), (32, 16)])
@pytest.mark.parametrize("channels", [24, 64])
def test_pixels_that_are_set_apart(channels, apart, rng):
    window = Window(1, 9, 30, (3, 3), padding=(1, 1, 1, 1))
    check(rng, window, channels, (Clip(0.0, 6.0),), apart=apart)


@pytest.mark.parametrize("channels", [512, 40, 16])
def test_channel_by_channel_and_row_by_row(channels, rng):
    window = Window(1, 14, 14, (3, 3), padding=(1, 1, 1, 1))
    check(rng, window, channels, (Clip(0.0, 6.0),))


def test_a_missing_tap_is_seen(rng):
    def spoil(weights):
        changed = weights.copy()
        changed[0, 0] = 0
        return changed

    with pytest.raises(AssertionError):
        check(rng, Window(1, 5, 5, (3, 3)), 16, spoil=spoil)
