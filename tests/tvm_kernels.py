"""Compiles kernels of `tvm/` for this machine, and says in NumPy what they compute."""

import numpy as np
import tvm
from hypothesis import strategies as st

from tfmot_onexn.tvm import processors, tiles
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar
from tfmot_onexn.tvm.kernels.window import Window

# shapes of tiles, which run on any processor
TILES = {
    "avx512": tiles.AVX512,
    "avx2": tiles.AVX2,
    "neon64": tiles.NEON64,
    "neon32": tiles.NEON32,
}


def run(kernel, tile, arguments, shape):
    """Returns what a kernel writes into an output of some shape."""
    target, _ = processors.processor("host")
    compiled = tvm.compile(kernel.function("kernel", tile), target)
    output = np.full(shape, np.nan, np.float32)
    tensors = [tvm.runtime.tensor(np.ascontiguousarray(a)) for a in arguments]
    tensors.append(tvm.runtime.tensor(output))
    compiled["kernel"](*tensors)
    return tensors[-1].numpy()


def blocks(rng, kernel_hwio, n, density=0.5):
    """Zeroes blocks of a kernel; returns it, and data, indices and indptr."""
    kernel = kernel_hwio.copy()
    kh, kw, columns, rows = kernel.shape
    kept = rng.random((rows // n, columns)) < density
    kept[0, 0] = True
    kernel *= np.repeat(kept, n, axis=0).T.astype(np.float32)
    by_block = kernel.reshape(kh * kw, columns, rows // n, n).transpose(2, 1, 0, 3)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    indices = np.nonzero(kept)[1]
    return kernel, by_block[kept], indices.astype(np.int32), indptr.astype(np.int32)


def windows(x, window):
    """Yields what each tap of a window reads ``[batch, height, width, channels]``."""
    top, left, bottom, right = window.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    height, width = window.outputs
    for i in range(window.taps[0]):
        for j in range(window.taps[1]):
            y, z = i * window.dilation[0], j * window.dilation[1]
            yield padded[
                :,
                y : y + (height - 1) * window.strides[0] + 1 : window.strides[0],
                z : z + (width - 1) * window.strides[1] + 1 : window.strides[1],
            ]


def convolve(x, kernel_hwio, bias, window):
    """A convolution in float64."""
    taps = kernel_hwio.reshape(-1, *kernel_hwio.shape[2:]).astype(np.float64)
    return bias + sum(
        read @ tap for read, tap in zip(windows(x, window), taps, strict=True)
    )


def convolve_depthwise(x, weights_hwc, bias, window):
    """A depthwise convolution in float64."""
    taps = weights_hwc.reshape(-1, weights_hwc.shape[-1]).astype(np.float64)
    return bias + sum(
        read * tap for read, tap in zip(windows(x, window), taps, strict=True)
    )


def apply(values, steps, others):
    """Steps of an epilogue in NumPy."""
    left = list(others)
    for step in steps:
        match step:
            case Clip(low, high):
                values = np.clip(values, low, high)
            case HardSwish():
                values = values * np.clip(values + 3, 0, 6) / 6
            case Scalar("add", value):
                values = values + value
            case Scalar("multiply", value):
                values = values * value
            case Operand("add"):
                values = values + left.pop(0)
            case Operand("multiply"):
                values = values * left.pop(0)
    return values


def others(rng, steps, shape):
    """Returns random feature maps for the operands of steps."""
    return [
        rng.normal(size=step.shape or shape).astype(np.float32)
        for step in steps
        if isinstance(step, Operand)
    ]


def assert_close(found, expected, tolerance=1e-5):
    """Compares relative to the largest value."""
    assert found.shape == expected.shape
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-9)
    assert error <= tolerance, f"{error:.2g}"


@st.composite
def moving_windows(draw, batch=2, most=12):
    """A window that fits its padded feature map."""
    taps = draw(st.integers(1, 5))
    dilation = draw(st.sampled_from([1, 1, 2]))
    pads = tuple(draw(st.integers(0, 2)) for _ in range(4))
    reach = (taps - 1) * dilation + 1
    height, width = (
        draw(st.integers(max(1, reach - pads[i] - pads[i + 2]), most)) for i in (0, 1)
    )
    stride = draw(st.sampled_from([1, 2, 3]))
    return Window(
        *(draw(st.integers(1, batch)), height, width),
        *((taps, taps), (stride, stride), (dilation, dilation), pads),
    )
