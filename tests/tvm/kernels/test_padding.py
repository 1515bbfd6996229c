import numpy as np
import pytest
import tvm_kernels

from tfmot_onexn.tvm.kernels.pointwise import Pad
from tfmot_onexn.tvm.kernels.window import Window


@pytest.mark.parametrize("padding", [(0, 0, 0, 0), (2, 1, 0, 3), (0, 2, 1, 0)])
@pytest.mark.parametrize("channels", [1, 3, 16])
def test_zeros_are_around_the_feature_map(padding, channels, rng):
    x = rng.normal(size=(2, 3, 4, channels)).astype(np.float32)
    window = Window(2, 3, 4, (1, 1), padding=padding)
    top, left, bottom, right = padding
    found = tvm_kernels.run(
        Pad(window, channels),
        tvm_kernels.TILES["neon64"],
        [x],
        (2, *window.padded, channels),
    )
    expected = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    np.testing.assert_array_equal(found, expected)
