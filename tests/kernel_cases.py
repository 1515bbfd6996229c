"""Hypothesis strategies for chains, and chains in plain NumPy and SciPy."""

import math

import numpy as np
import scipy.sparse
from hypothesis import strategies as st
from kernel_chains import (
    LOW_HIGH_SWISH,
    SIZES,
    Case,
    Chain,
    Convolution,
    Depthwise,
    Window,
    placed,
)

DENSITIES = (0.0, 0.1, 0.25, 0.5, 1.0)
# bytes of a cache: the machine's own, and some that make many strips
CACHES = (0, 4_000, 20_000, 60_000)


def extent(size, taps, stride, dilation, padding):
    """Returns the size of an output and what is added in front, as TensorFlow does."""
    reach = (taps - 1) * dilation + 1
    if padding == "VALID":
        return (size - reach) // stride + 1, 0
    output = -(-size // stride)
    return output, max((output - 1) * stride + reach - size, 0) // 2


@st.composite
def windows(draw, height, width, *, square=False, most=5, dilations=(1,)):
    """A window that fits a feature map; returns it and the output's size."""
    numbers = []
    tall = draw(st.integers(1, most))
    wide = tall if square else draw(st.integers(1, most))
    stride = draw(st.sampled_from([1, 2, 3]))
    for size, taps in ((height, tall), (width, wide)):
        dilation = draw(st.sampled_from(dilations))
        fits = (taps - 1) * dilation + 1 <= size
        padding = draw(st.sampled_from(["SAME", "VALID"] if fits else ["SAME"]))
        numbers.append((taps, dilation, *extent(size, taps, stride, dilation, padding)))
    (tall, dilation_y, rows, top), (wide, dilation_x, columns, left) = numbers
    window = Window(tall, wide, stride, stride, dilation_y, dilation_x, top, left)
    return window, (rows, columns)


@st.composite
def convolutions(draw, rng, columns, *, rows=None, n=None, window=Window()):  # noqa: B008
    """A convolution of so many input channels."""
    n = n or draw(st.sampled_from(SIZES))
    if rows is not None:
        n = math.gcd(n, rows)
    return Convolution(
        rng,
        rows or n * draw(st.integers(1, 5)),
        columns,
        n,
        density=draw(st.sampled_from(DENSITIES)),
        edges=draw(st.booleans()),
        window=window,
        activation=draw(st.sampled_from(list(LOW_HIGH_SWISH))),
        bias=draw(st.booleans()),
        offset=draw(st.integers(0, 3)),
    )


def feature_map(rng, shape, offset=0):
    return placed(rng.normal(size=shape), offset)


@st.composite
def finished(draw, rng, chain, input_shape, output_size):
    """A case of a chain: random inputs, with or without something to add."""
    offset = draw(st.integers(0, 3))
    output_shape = (input_shape[0], *output_size, chain.project.rows)
    residual = draw(st.booleans())
    return Case(
        chain,
        feature_map(rng, input_shape, offset),
        output_shape,
        feature_map(rng, output_shape, offset) if residual else None,
        offset,
    )


@st.composite
def generators(draw):
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


@st.composite
def products(draw, *, most=1, dilations=(1,), size=16):
    """A single convolution; `most` is the largest window."""
    rng = draw(generators())
    height, width = draw(st.integers(1, size)), draw(st.integers(1, size))
    channels = draw(st.integers(1, 70))
    window, output_size = Window(), (height, width)
    if most > 1:
        window, output_size = draw(
            windows(height, width, most=most, dilations=dilations)
        )
    chain = Chain(draw(convolutions(rng, channels, window=window)))
    shape = (draw(st.integers(1, 3)), height, width, channels)
    return draw(finished(rng, chain, shape, output_size))


@st.composite
def vectors(draw):
    """A fully connected layer of one image."""
    rng = draw(generators())
    channels = draw(st.integers(1, 200))
    chain = Chain(draw(convolutions(rng, channels)))
    return draw(finished(rng, chain, (1, 1, 1, channels), (1, 1)))


@st.composite
def blocks(draw, *, expand=None, squeeze=None, size=16):
    """A depthwise convolution and what is around it."""
    rng = draw(generators())
    height, width = draw(st.integers(1, size)), draw(st.integers(1, size))
    channels = draw(st.integers(1, 40))
    expansion, middle = None, channels
    if draw(st.booleans()) if expand is None else expand:
        expansion = draw(convolutions(rng, channels))
        middle = expansion.rows
    window, output_size = draw(windows(height, width, square=draw(st.booleans())))
    depthwise = Depthwise(
        rng,
        middle,
        window,
        draw(st.sampled_from(list(LOW_HIGH_SWISH))),
        draw(st.booleans()),
        draw(st.integers(0, 3)),
    )
    layers, scale = None, 1.0
    if draw(st.booleans()) if squeeze is None else squeeze:
        first = draw(convolutions(rng, middle))
        layers = (first, draw(convolutions(rng, first.rows, rows=middle)))
        scale = draw(st.sampled_from([1.0, 1 / 6]))
    chain = Chain(draw(convolutions(rng, middle)), expansion, depthwise, layers, scale)
    shape = (draw(st.integers(1, 2)), height, width, channels)
    return draw(finished(rng, chain, shape, output_size))


def squeezed(rng, shape, n=8, taps=3, rows=16):
    """A depthwise convolution, squeeze and excite, and a projection to so many rows."""
    channels = shape[-1]
    pad = taps // 2
    depthwise = Depthwise(rng, channels, Window(taps, taps, pad_top=pad, pad_left=pad))
    squeeze = (Convolution(rng, 8, channels, 4), Convolution(rng, channels, 8, 4))
    chain = Chain(Convolution(rng, rows, channels, n), None, depthwise, squeeze)
    return Case(chain, feature_map(rng, shape), (*shape[:3], rows))


def spoiled(case, rng, count=3):
    """Puts NaN and infinities into some inputs."""
    flat = case.x.reshape(-1)
    odd = rng.choice([np.nan, np.inf, -np.inf], size=count)
    flat[rng.integers(0, flat.size, size=count)] = odd
    return case


def activate(name, values):
    low, high, swish = LOW_HIGH_SWISH[name]
    if swish:
        return values * np.clip(values + 3, 0, 6) / 6
    return np.clip(values, low, high)


def taps(window, x, output_size):
    """Yields what each tap of a window reads, ``[batch, rows, columns, channels]``."""
    rows, columns = output_size
    for i in range(window.height):
        for j in range(window.width):
            read = np.zeros((x.shape[0], rows, columns, x.shape[3]))
            ys = np.arange(rows) * window.stride_y + i * window.dilation_y
            xs = np.arange(columns) * window.stride_x + j * window.dilation_x
            ys, xs = ys - window.pad_top, xs - window.pad_left
            inside_y = (ys >= 0) & (ys < x.shape[1])
            inside_x = (xs >= 0) & (xs < x.shape[2])
            part = x[:, ys[inside_y]][:, :, xs[inside_x]]
            read[:, np.flatnonzero(inside_y)[:, None], np.flatnonzero(inside_x)] = part
            yield read


def convolve(layer, x, output_size):
    """A convolution with SciPy's BSR product, tap by tap."""
    shape = (layer.rows, layer.columns)
    total = np.zeros((layer.rows, x.shape[0] * math.prod(output_size)))
    for tap, read in enumerate(taps(layer.window, x, output_size)):
        data = layer.data[:, tap, :, None].astype(np.float64)
        kernel = scipy.sparse.bsr_array(
            (data, layer.indices, layer.indptr), shape=shape, blocksize=(layer.n, 1)
        )
        total += kernel @ read.reshape(-1, layer.columns).T
    if layer.bias is not None:
        total += layer.bias[:, None]
    total = activate(layer.activation, total)
    return total.T.reshape(x.shape[0], *output_size, layer.rows)


def convolve_depthwise(layer, x, output_size):
    weights = layer.weights.reshape(-1, x.shape[3]).astype(np.float64)
    reads = taps(layer.window, x, output_size)
    total = sum(read * tap for read, tap in zip(reads, weights, strict=True))
    if layer.bias is not None:
        total = total + layer.bias
    return activate(layer.activation, total)


def in_numpy(case):
    """Computes a case's output in float64."""
    chain, output_size = case.chain, case.output_shape[1:3]
    x = case.x.astype(np.float64)
    if chain.expand is not None:
        x = convolve(chain.expand, x, x.shape[1:3])
    if chain.depthwise is not None:
        x = convolve_depthwise(chain.depthwise, x, output_size)
    if chain.squeeze is not None:
        gate = x.mean(axis=(1, 2), keepdims=True)
        for layer in chain.squeeze:
            gate = convolve(layer, gate, (1, 1))
        x = x * gate * chain.scale
    y = convolve(chain.project, x, output_size)
    return y if case.residual is None else y + case.residual
