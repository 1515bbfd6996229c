"""Chains of layers through the delegate's C interface for tests.

`tflite_delegate/testing/chain_api.h` describes the interface.
"""

import contextlib
import copy
import ctypes
import dataclasses
import functools
import math

import numpy as np
from chain_library import library

from tfmot_onexn.benchmark.delegate_kernels import (
    CActivation,
    CChain,
    CConvolution,
    CWindow,
)

ISAS = ("portable", "avx2", "avx512", "neon")
SIZES = (1, 2, 3, 4, 8, 16, 24, 32)
LOW_HIGH_SWISH = {
    "none": (-math.inf, math.inf, 0),
    "relu": (0, math.inf, 0),
    "relu6": (0, 6, 0),
    "hard_swish": (-math.inf, math.inf, 1),
}
# of values that nobody may write
GUARD = np.float32(-1234.5)


@functools.cache
def isas():
    """Returns the ISAs of this machine; the portable one is always there."""
    chain = Chain(Convolution(np.random.default_rng(0), 1, 1, 1))
    found = []
    for isa in ISAS:
        with contextlib.suppress(MemoryError):
            Runner(chain, isa, (1, 1, 1, 1), (1, 1, 1, 1)).close()
            found.append(isa)
    return found


@contextlib.contextmanager
def cache(size):
    """Lets chains assume an L2 cache of so many bytes; 0 for the machine's own."""
    library().onexn_set_cache(size)
    try:
        yield
    finally:
        library().onexn_set_cache(0)


def placed(values, offset=0, dtype=np.float32):
    """Copies an array to so many elements behind a multiple of 64 bytes."""
    values = np.asarray(values, dtype)
    size = values.dtype.itemsize
    memory = np.empty(values.size + offset + 64 // size, dtype)
    first = -memory.ctypes.data % 64 // size + offset
    copy = memory[first : first + values.size].reshape(values.shape)
    copy[...] = values
    return copy


@dataclasses.dataclass(frozen=True)
class Window:
    height: int = 1
    width: int = 1
    stride_y: int = 1
    stride_x: int = 1
    dilation_y: int = 1
    dilation_x: int = 1
    pad_top: int = 0
    pad_left: int = 0

    def _c(self):
        return CWindow((ctypes.c_int32 * 8)(*dataclasses.astuple(self)))


class Convolution:
    """A convolution whose kernel is ``[M, kh * kw, K]`` in random 1xn blocks.

    Args:
      density: which part of the blocks is kept, about.
      edges: make a block row empty and another full.
      offset: how many floats behind a multiple of 64 bytes the values begin.
    """

    def __init__(
        self,
        rng,
        rows,
        columns,
        n,
        *,
        density=0.5,
        edges=False,
        window=Window(),
        activation="none",
        bias=True,
        offset=0,
    ):
        self.rows, self.columns, self.n = rows, columns, n
        self.window, self.activation = window, activation
        kept = rng.random((rows // n, columns)) < density
        if edges:
            kept[-1], kept[0] = True, False
        indptr = np.concatenate([[0], np.cumsum(kept.sum(1))])
        taps = window.height * window.width
        values = rng.normal(size=(kept.sum(), taps, n))
        values /= math.sqrt(max(1, kept.sum(1).max()) * taps)
        self.data = placed(values, offset)
        self.indices = placed(np.nonzero(kept)[1], 0, np.int32)
        self.indptr = placed(indptr, 0, np.int32)
        self.bias = placed(rng.normal(size=rows), offset) if bias else None

    def dense(self):
        """Returns the same layer with every block, the missing ones of zeros."""
        block_rows, taps = self.rows // self.n, self.data.shape[1]
        values = np.zeros((block_rows, self.columns, taps, self.n), np.float32)
        row = np.repeat(np.arange(block_rows), np.diff(self.indptr))
        values[row, self.indices] = self.data
        other = copy.copy(self)
        other.data = placed(values.reshape(-1, taps, self.n))
        every = np.tile(np.arange(self.columns), block_rows)
        other.indices = placed(every, 0, np.int32)
        indptr = np.arange(block_rows + 1) * self.columns
        other.indptr = placed(indptr, 0, np.int32)
        return other

    def _c(self):
        return CConvolution(
            *(self.rows, self.columns, self.n),
            *(array.ctypes.data for array in (self.data, self.indices, self.indptr)),
            None if self.bias is None else self.bias.ctypes.data,
            self.window._c(),
            CActivation(*LOW_HIGH_SWISH[self.activation]),
        )


class Depthwise:
    """A depthwise convolution with random weights ``[kh, kw, C]``."""

    def __init__(self, rng, channels, window, activation="none", bias=True, offset=0):
        self.window, self.activation = window, activation
        shape = (window.height, window.width, channels)
        scale = math.sqrt(window.height * window.width)
        self.weights = placed(rng.normal(size=shape) / scale, offset)
        self.bias = placed(rng.normal(size=channels), offset) if bias else None


@dataclasses.dataclass
class Chain:
    """See `ChainSpec` in chain.h; layers that are None are not there."""

    project: Convolution
    expand: Convolution | None = None
    depthwise: Depthwise | None = None
    squeeze: tuple[Convolution, Convolution] | None = None
    scale: float = 1.0

    def dense(self):
        """Returns the same chain without a missing block."""
        return dataclasses.replace(
            self,
            project=self.project.dense(),
            expand=self.expand and self.expand.dense(),
            squeeze=self.squeeze and tuple(layer.dense() for layer in self.squeeze),
        )

    def _c(self, residual):
        def pointer(layer):
            return None if layer is None else ctypes.pointer(layer._c())

        first, second = self.squeeze or (None, None)
        to = CChain(
            expand=pointer(self.expand),
            squeeze_first=pointer(first),
            squeeze_second=pointer(second),
            squeeze_scale=self.scale,
            project=pointer(self.project),
            has_residual=residual,
        )
        if self.depthwise is not None:
            layer = self.depthwise
            to.depthwise_weights = layer.weights.ctypes.data
            if layer.bias is not None:
                to.depthwise_bias = layer.bias.ctypes.data
            to.depthwise_window = layer.window._c()
            to.depthwise_activation = CActivation(*LOW_HIGH_SWISH[layer.activation])
        return to


class Runner:
    """A chain that is ready to run on feature maps of some shape, NHWC.

    Raises:
      MemoryError: if this machine does not have the ISA.
    """

    def __init__(
        self, chain, isa, input_shape, output_shape, threads=1, residual=False
    ):
        self.chain, self.output_shape = chain, tuple(output_shape)
        shapes = [(ctypes.c_int32 * 4)(*shape) for shape in (input_shape, output_shape)]
        self._layers = chain._c(residual)
        self._runner = library().onexn_create(
            ctypes.byref(self._layers), isa.encode(), threads, *shapes
        )
        if not self._runner:
            raise MemoryError(f"no chain for {isa}")

    @property
    def name(self):
        return library().onexn_name(self._runner).decode()

    def __call__(self, x, residual=None, offset=0):
        """Runs the chain; nothing but its output may be written."""
        size = math.prod(self.output_shape)
        memory = placed(np.full(size + 128, GUARD), offset)
        output = memory[64 : 64 + size]
        output.fill(np.nan)
        before = [None if array is None else array.copy() for array in (x, residual)]
        assert library().onexn_run(
            self._runner,
            x.ctypes.data,
            None if residual is None else residual.ctypes.data,
            output.ctypes.data,
        )
        assert (memory[:64] == GUARD).all(), "written before the output"
        assert (memory[64 + size :] == GUARD).all(), "written behind the output"
        for array, old in zip((x, residual), before, strict=True):
            if array is not None:
                np.testing.assert_array_equal(array, old)
        return output.reshape(self.output_shape).copy()

    def close(self):
        if getattr(self, "_runner", None):
            library().onexn_destroy(self._runner)
        self._runner = None

    __del__ = close


def assert_same(found, expected, tolerance=1e-5, dense=None):
    """Compares feature maps, relative to the largest value; NaN and Inf exactly.

    Where the dense layer makes a NaN of a zero, ours may: it multiplies some zeros.
    """
    assert found.shape == expected.shape
    odd = ~np.isfinite(expected)
    if dense is not None:
        of_zeros = np.isnan(dense) & ~np.isnan(expected)
        found = np.where(of_zeros & np.isnan(found), expected, found)
    np.testing.assert_array_equal(found[odd], expected[odd])
    if not odd.all():
        error = np.abs(found[~odd] - expected[~odd]).max()
        largest = max(np.abs(expected[~odd]).max(), 1e-9)
        assert error <= tolerance * largest, f"{error / largest:.2g}"


@dataclasses.dataclass
class Case:
    """A chain and feature maps for it."""

    chain: Chain
    x: np.ndarray
    output_shape: tuple[int, int, int, int]
    residual: np.ndarray | None = None
    offset: int = 0

    def run(self, isa, threads=1):
        runner = Runner(
            *(self.chain, isa, self.x.shape, self.output_shape, threads),
            residual=self.residual is not None,
        )
        try:
            return runner(self.x, self.residual, self.offset)
        finally:
            runner.close()

    def check(self, names=None, threads=(1,), cache_size=0):
        """Compares kernels with the oracle: those of all ISAs, or others by name."""
        expected = self.run("reference")
        dense = None
        if not np.isfinite(self.x).all():
            dense = dataclasses.replace(self, chain=self.chain.dense()).run("reference")
        # the rounding of several layers, of which the last one's sums may cancel
        tolerance = 1e-5 if self.chain.depthwise is None else 5e-5
        with cache(cache_size):
            for name in names or isas():
                for count in threads:
                    found = self.run(name, count)
                    assert_same(found, expected, tolerance, dense)
