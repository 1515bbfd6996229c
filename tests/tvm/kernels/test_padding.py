import numpy as np
import pytest
import tvm_kernels

from tfmot_onexn.tvm.kernels.padding import copy_padded
from tfmot_onexn.tvm.kernels.pointwise import Pad
from tfmot_onexn.tvm.kernels.tir import function
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


class Apart:
    """A copy whose pixels are set apart."""

    window = Window(1, 3, 4, (1, 1), padding=(1, 2, 0, 1))

    def function(self, name, tile):
        def body(x, y):
            copy_padded(x, y, self.window, 21, 24)

        shapes = {"x": (1, 3, 4, 21), "y": (1, *self.window.padded, 24)}
        parameters = {key: (shape, "float32") for key, shape in shapes.items()}
        return function(name, parameters, body)


def test_pixels_are_set_apart(rng):
    x = rng.normal(size=(1, 3, 4, 21)).astype(np.float32)
    found = tvm_kernels.run(Apart(), None, [x], (1, *Apart.window.padded, 24))
    expected = np.pad(x, ((0, 0), (1, 0), (2, 1), (0, 0)))
    np.testing.assert_array_equal(found[..., :21], expected)
