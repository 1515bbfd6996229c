import numpy as np
import pytest
import tvm_kernels

from tfmot_onexn.tvm import one_layer
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.one_layer import Compiled, Convolution


@pytest.fixture
def images(rng):
    return rng.normal(size=(1, 7, 6, 16)).astype(np.float32)


@pytest.fixture
def bias(rng):
    return rng.normal(size=32).astype(np.float32)


def test_convolutions_are_computed_as_a_build_does(images, bias, rng):
    for taps, stride, padding in ((1, 1, 0), (1, 2, 0), (3, 2, 1)):
        kernel = rng.normal(size=(taps, taps, 16, 32)).astype(np.float32)
        kernel, *_ = tvm_kernels.blocks(rng, kernel, 8)
        pads = (padding,) * 4
        layer = Compiled(Convolution(kernel, bias, stride, pads), images)
        assert layer.kernel.n == 8
        window = Window(1, 7, 6, (taps, taps), (stride, stride), padding=pads)
        sums = tvm_kernels.convolve(images, kernel, bias, window)
        tvm_kernels.assert_close(layer(), np.clip(sums, 0, 6))


def test_depthwise_convolutions_are_told_by_their_kernel(images, bias, rng):
    weights = rng.normal(size=(3, 3, 16, 1)).astype(np.float32)
    layer = Compiled(Convolution(weights, bias[:16], 1, (1, 1, 1, 1)), images)
    window = Window(1, 7, 6, (3, 3), padding=(1, 1, 1, 1))
    sums = tvm_kernels.convolve_depthwise(images, weights[..., 0], bias[:16], window)
    tvm_kernels.assert_close(layer(), np.clip(sums, 0, 6))


def test_runs_are_timed(images, bias, rng):
    layer = Compiled(Convolution(rng.normal(size=(1, 1, 16, 32)), bias), images)
    seconds = layer.seconds(4)
    assert seconds.shape == (4,)
    assert (seconds > 0).all()


def test_tiles_are_those_of_the_package(images, bias, rng, monkeypatch):
    asked = []

    def chooser(tile, databases):
        assert databases == [one_layer.tuning_database.shipped()]
        return lambda kernel: asked.append(kernel) or tile

    monkeypatch.setattr(one_layer.tuning_database, "Chooser", chooser)
    layer = Compiled(Convolution(rng.normal(size=(1, 1, 16, 32)), bias), images)
    assert asked == [layer.kernel]


def test_what_is_no_single_kernel_is_refused(images, bias, rng, monkeypatch):
    rewrite = one_layer.rewrite.rewrite

    def leaves_it(module, tile, choose):
        found = rewrite(module, tile, choose)
        return type(found)(module, [], ["nn.conv2d of y"])

    monkeypatch.setattr(one_layer.rewrite, "rewrite", leaves_it)
    kernel = rng.normal(size=(1, 1, 16, 32))
    with pytest.raises(ValueError, match=r"of \[1, 1, 16, 32\] on .* no single kernel"):
        Compiled(Convolution(kernel, bias), images)
