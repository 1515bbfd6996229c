"""Turns operators into kernels: shapes for the generator, arrays for its parameters."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from tvm import relax

from tfmot_onexn.sparsity import bsr
from tfmot_onexn.tvm import matching
from tfmot_onexn.tvm.graph import Graph, operation, shape_of
from tfmot_onexn.tvm.kernels import dense
from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.dense import Dense
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.inverted_residual import InvertedResidual
from tfmot_onexn.tvm.kernels.pointwise import Pad, Pool, Softmax, Steps
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window

Kernel: TypeAlias = (
    Product
    | Convolution
    | Dense
    | Depthwise
    | InvertedResidual
    | Pool
    | Steps
    | Softmax
    | Pad
)

# a wider block is divided: its parts are unrolled
_WIDEST_BLOCK = 32


@dataclasses.dataclass(frozen=True)
class Layer:
    """A kernel and what it reads.

    Attributes:
      kernel: generates the function.
      arguments: variables, or arrays for constants, in the function's order.
      result: the variable that it computes.
      taken: the bindings that it stands for.
    """

    kernel: Kernel
    arguments: tuple[Any, ...]
    result: Any
    taken: tuple[Any, ...]


def layer_of(graph: Graph, binding: Any) -> Layer | None:
    """Returns the layer that begins with a binding, None if no kernel computes it."""
    matcher = _MATCHERS.get(operation(binding))
    if matcher is None or str(binding.var.ty.dtype) != "float32":
        return None
    return matcher(graph, binding)


def _finished(
    binding: Any,
    found: matching.Tail,
    kernel: Kernel,
    arguments: list[Any],
    also: Any = None,
) -> Layer:
    taken = [*([] if also is None else [also]), binding, *found.taken]
    arguments = [*arguments, *found.others]
    return Layer(kernel, tuple(arguments), found.variable, tuple(taken))


def _convolution(graph: Graph, binding: Any) -> Layer | None:
    call = binding.value
    kernel = graph.constant(call.args[1])
    attributes = call.attrs
    if kernel is None or kernel.dtype != np.float32:
        return None
    if str(attributes.data_layout) != "NHWC" or str(attributes.out_layout) != "NHWC":
        return None
    x, before, pad = matching.padding_before(graph, call.args[0])
    batch, height, width, channels = shape_of(x)
    top, left, bottom, right = (
        int(size) + added
        for size, added in zip(attributes.padding, before, strict=True)
    )
    window = Window(
        *(batch, height, width),
        (kernel.shape[0], kernel.shape[1]),
        (int(attributes.strides[0]), int(attributes.strides[1])),
        (int(attributes.dilation[0]), int(attributes.dilation[1])),
        (top, left, bottom, right),
    )
    if int(attributes.groups) == 1 and str(attributes.kernel_layout) == "HWIO":
        return _blocks(graph, binding, x, window, kernel, pad)
    if int(attributes.groups) == channels and kernel.shape[2:] == (channels, 1):
        return _depthwise(graph, binding, x, window, kernel, pad)
    return None


def _blocks(
    graph: Graph, binding: Any, x: Any, window: Window, kernel: np.ndarray, pad: Any
) -> Layer:
    found = matching.tail(graph, binding)
    rows, columns = kernel.shape[3], kernel.shape[2]
    bias = found.bias(rows)
    steps = tuple(found.steps)
    shape = (window.batch, *window.outputs, rows)
    if window.moves_only and _is_dense(kernel, shape):
        return _dense(binding, found, x, kernel[0, 0], bias, shape, pad)
    n, data, indices, indptr = encoded(kernel)
    generator: Kernel
    if window.moves_only:
        generator = Product(shape, columns, n, len(data), steps)
    else:
        generator = Convolution(window, rows, columns, n, len(data), steps)
    return _finished(binding, found, generator, [x, data, indices, indptr, bias], pad)


def _is_dense(kernel: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Whether it is the kernel of a single pixel, with few zeros."""
    return math.prod(shape[:-1]) == 1 and bool(
        np.count_nonzero(kernel) > kernel.size / 2
    )


def _dense(
    binding: Any,
    found: matching.Tail,
    x: Any,
    kernel_io: np.ndarray,
    bias: np.ndarray,
    shape: tuple[int, ...],
    pad: Any = None,
) -> Layer:
    weights, padded = dense.pack(kernel_io, bias)
    generator = Dense(shape, kernel_io.shape[0], tuple(found.steps))
    return _finished(binding, found, generator, [x, weights, padded], pad)


def encoded(kernel: np.ndarray) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Encodes a kernel ``[kh, kw, in, out]`` in blocks that its zeros fill.

    Returns:
      n, data ``[nnz, kh*kw, n]``, indices and indptr. At least one block is stored.
    """
    n = bsr.block_size(kernel)
    if n > _WIDEST_BLOCK:
        n = math.gcd(n, 16)
    data, indices, indptr = bsr.encode(kernel, n)
    window = math.prod(kernel.shape[:2])
    data = data.reshape(len(indices), window, n)
    if not len(indices):
        return n, np.zeros((1, window, n), np.float32), np.zeros(1, np.int32), indptr
    return n, data, indices, indptr


def _depthwise(
    graph: Graph, binding: Any, x: Any, window: Window, kernel: np.ndarray, pad: Any
) -> Layer:
    found = matching.tail(graph, binding)
    channels = kernel.shape[2]
    bias = found.bias(channels)
    generator = Depthwise(window, channels, tuple(found.steps))
    return _finished(binding, found, generator, [x, kernel[..., 0], bias], pad)


def _matmul(graph: Graph, binding: Any) -> Layer | None:
    x, other = binding.value.args
    kernel = graph.constant(other)
    if kernel is None or kernel.ndim != 2 or kernel.dtype != np.float32:
        return None
    found = matching.tail(graph, binding)
    bias = found.bias(kernel.shape[1])
    shape = shape_of(binding.var)
    if _is_dense(kernel, shape):
        return _dense(binding, found, x, kernel, bias, shape)
    n, data, indices, indptr = encoded(np.ascontiguousarray(kernel[None, None]))
    generator = Product(shape, kernel.shape[0], n, len(data), tuple(found.steps))
    return _finished(binding, found, generator, [x, data, indices, indptr, bias])


def _mean(graph: Graph, binding: Any) -> Layer | None:
    [x] = binding.value.args
    axes = [int(axis) for axis in binding.value.attrs.axis or ()]
    shape = shape_of(x)
    if len(shape) != 4 or axes != [1, 2]:
        return None
    window = Window(shape[0], shape[1], shape[2], (shape[1], shape[2]))
    found = matching.tail(graph, binding)
    result = shape_of(binding.var)
    generator = Pool(window, shape[3], "mean", result, steps=tuple(found.steps))
    return _finished(binding, found, generator, [x])


def _pool(graph: Graph, binding: Any) -> Layer | None:
    [x] = binding.value.args
    attributes = binding.value.attrs
    if str(attributes.layout) != "NHWC" or attributes.ceil_mode:
        return None
    shape = shape_of(x)
    taps, strides, dilation = (
        (int(pair[0]), int(pair[1]))
        for pair in (attributes.pool_size, attributes.strides, attributes.dilation)
    )
    top, left, bottom, right = (int(size) for size in attributes.padding)
    batch, height, width, _ = shape
    padding = top, left, bottom, right
    window = Window(batch, height, width, taps, strides, dilation, padding)
    found = matching.tail(graph, binding)
    generator = Pool(
        window,
        shape[3],
        "max" if operation(binding) == "nn.max_pool2d" else "mean",
        shape_of(binding.var),
        bool(attributes.count_include_pad),
        tuple(found.steps),
    )
    return _finished(binding, found, generator, [x])


def _pad(graph: Graph, binding: Any) -> Layer | None:
    x = binding.value.args[0]
    padding = matching.padding_of(binding)
    if padding is None:
        return None
    batch, height, width, channels = shape_of(x)
    kernel = Pad(Window(batch, height, width, (1, 1), padding=padding), channels)
    return Layer(kernel, (x,), binding.var, (binding,))


def _softmax(graph: Graph, binding: Any) -> Layer | None:
    [x] = binding.value.args
    shape = shape_of(x)
    if int(binding.value.attrs.axis) not in (-1, len(shape) - 1):
        return None
    return Layer(Softmax(shape), (x,), binding.var, (binding,))


def _steps(graph: Graph, binding: Any) -> Layer | None:
    shape = shape_of(binding.var)
    if not shape:
        return None
    for x in binding.value.args:
        if not isinstance(x, relax.Var) or shape_of(x) != shape:
            continue
        first = matching.step_of(graph, binding, x)
        if first is None:
            continue
        found = matching.tail(graph, binding)
        steps = (first[0], *found.steps)
        others = [] if first[1] is None else [first[1]]
        return _finished(binding, found, Steps(shape, steps), [x, *others])
    return None


_ELEMENTWISE = ("add", "subtract", "multiply", "divide", "clip", "nn.relu")
# what other layers may take along
LEFTOVERS = (*_ELEMENTWISE, "nn.pad")

_MATCHERS: dict[str, Callable[[Graph, Any], Layer | None]] = {
    "nn.conv2d": _convolution,
    "matmul": _matmul,
    "mean": _mean,
    "nn.max_pool2d": _pool,
    "nn.avg_pool2d": _pool,
    "nn.pad": _pad,
    "nn.softmax": _softmax,
    **dict.fromkeys(_ELEMENTWISE, _steps),
}
