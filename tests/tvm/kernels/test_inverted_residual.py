import hypothesis
import numpy as np
import pytest
import tvm_kernels
from hypothesis import strategies as st

from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand
from tfmot_onexn.tvm.kernels.inverted_residual import Blocks, InvertedResidual
from tfmot_onexn.tvm.kernels.window import Window

RELU6 = (Clip(0.0, 6.0),)


def check(rng, window, columns, channels, rows, n, steps=(), tile="avx512", spoil=None):
    (kernel_e, *expand), (kernel_p, *project) = (
        tvm_kernels.blocks(rng, rng.normal(size=(1, 1, k, m)).astype(np.float32), n)
        for k, m in ((columns, channels), (channels, rows))
    )
    layer = InvertedResidual(
        window,
        Blocks(channels, columns, n, len(expand[1])),
        RELU6,
        (HardSwish(),),
        Blocks(rows, channels, n, len(project[1])),
        steps,
    )
    if layer.division(tvm_kernels.TILES[tile]) is None:
        return False
    x = rng.normal(size=(1, window.height, window.width, columns)).astype(np.float32)
    biases = [
        rng.normal(size=size).astype(np.float32) for size in (channels, channels, rows)
    ]
    weights = rng.normal(size=(*window.taps, channels)).astype(np.float32)
    shape = (1, *window.outputs, rows)
    others = tvm_kernels.others(rng, steps, shape)
    arguments = [
        *(x, *expand, biases[0]),
        *(weights, biases[1], *project, biases[2]),
        *others,
    ]
    if spoil is not None:
        spoil(arguments)
    found = tvm_kernels.run(layer, tvm_kernels.TILES[tile], arguments, shape)
    expanded = np.clip(x.astype(np.float64) @ kernel_e[0, 0] + biases[0], 0, 6)
    filtered = tvm_kernels.convolve_depthwise(expanded, weights, biases[1], window)
    filtered = tvm_kernels.apply(filtered, (HardSwish(),), [])
    sums = filtered @ kernel_p[0, 0] + biases[2]
    tvm_kernels.assert_close(found, tvm_kernels.apply(sums, steps, others))
    return True


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    st.integers(0, 2**32 - 1),
    tvm_kernels.moving_windows(batch=1, most=16),
    st.sampled_from([1, 2, 4, 8, 16, 24]),
    st.sampled_from(list(tvm_kernels.TILES)),
)
def test_any_window(seed, window, n, tile):
    rng = np.random.default_rng(seed)
    channels, rows = (n * int(rng.integers(1, 5)) for _ in range(2))
    columns = int(rng.integers(1, 20))
    hypothesis.assume(check(rng, window, columns, channels, rows, n, RELU6, tile))


@pytest.mark.parametrize("n", [4, 8, 16])
@pytest.mark.parametrize("stride", [1, 2])
def test_shapes_of_mobilenet_v2(n, stride, rng):
    padding = (1, 1, 1, 1) if stride == 1 else (0, 0, 1, 1)
    window = Window(1, 28, 28, (3, 3), (stride, stride), padding=padding)
    assert check(rng, window, 24, 48, 32, n, (Operand("add"),))


def test_a_wrong_weight_is_seen(rng):
    def spoil(arguments):
        arguments[5] = arguments[5] + np.float32(0.1)

    window = Window(1, 28, 28, (3, 3), padding=(1, 1, 1, 1))
    with pytest.raises(AssertionError):
        check(rng, window, 8, 16, 16, 8, spoil=spoil)


def test_what_does_not_divide_is_refused(rng):
    window = Window(1, 1, 1, (1, 1))
    layer = InvertedResidual(window, Blocks(16, 8, 8, 4), (), (), Blocks(8, 16, 8, 4))
    with pytest.raises(ValueError, match="no strips"):
        layer.function("kernel", tvm_kernels.TILES["avx512"])
