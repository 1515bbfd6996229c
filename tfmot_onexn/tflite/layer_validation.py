"""Checks that convolutions and fully connected layers fit the tensors they name.

XNNPACK takes shapes as a file gives them, and runtimes divide by strides: what does not
fit makes them crash. Sizes that a file leaves open are not checked.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer
from tfmot_onexn.tflite.flatbuffer import called, integers

_Op = schema.BuiltinOperator
_OPTIONS = {
    _Op.CONV_2D: schema.Conv2DOptionsT,
    _Op.DEPTHWISE_CONV_2D: schema.DepthwiseConv2DOptionsT,
    _Op.FULLY_CONNECTED: schema.FullyConnectedOptionsT,
}
_KERNEL_RANKS = {_Op.CONV_2D: 4, _Op.DEPTHWISE_CONV_2D: 4, _Op.FULLY_CONNECTED: 2}
# further than that there is nothing to see in an image
_LARGEST_STEP = 4096


class _Shape(NamedTuple):
    """A tensor's sizes, and which of them its signature leaves open."""

    sizes: list[int]
    open: list[bool]

    @classmethod
    def of(cls, tensor: Any) -> "_Shape":
        sizes, signature = integers(tensor.shape), integers(tensor.shapeSignature)
        if len(signature) != len(sizes):
            signature = sizes
        return cls(sizes, [size < 0 for size in signature])


def layer_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields what does not fit in a subgraph's layers.

    Args:
      model: a ``ModelT`` whose operators have the inputs and outputs that they need.
      graph: one of its subgraphs.
    """
    for operator in graph.operators:
        code = flatbuffer.operator_of(model, operator)
        if code not in _OPTIONS:
            continue
        indices = [*integers(operator.inputs), -1][:3]
        image, kernel = (graph.tensors[index] for index in indices[:2])
        bias = None if indices[2] < 0 else graph.tensors[indices[2]]
        output = graph.tensors[operator.outputs[0]]
        name = f"{flatbuffer.operator_name(code)} that makes {called(output)}"
        sizes, options = integers(kernel.shape), operator.builtinOptions
        if len(sizes) != _KERNEL_RANKS[code] or min(sizes) < 1:
            yield f"{name} has a kernel of shape {sizes}"
            continue
        if not isinstance(options, _OPTIONS[code]):
            yield f"{name} lacks its options"
            continue
        shapes = (_Shape.of(image), _Shape.of(output))
        if code == _Op.FULLY_CONNECTED:
            faults = _connected_faults(sizes, *shapes)
        else:
            faults = _window_faults(options, sizes, *shapes)
        for fault in faults:
            yield f"{name} {fault}"
        channels = sizes[-1] if code == _Op.DEPTHWISE_CONV_2D else sizes[0]
        if bias is not None and math.prod(integers(bias.shape)) != channels:
            yield f"{name} has {channels} channels, a bias of {integers(bias.shape)}"


def _connected_faults(
    kernel: list[int], image: _Shape, output: _Shape
) -> Iterator[str]:
    """Yields where rows of a kernel ``[O, I]`` do not fit what it reads and makes."""
    channels, depth = kernel
    if not output.sizes or output.sizes[-1] != channels:
        yield f"has a kernel of shape {kernel} and makes the shape {output.sizes}"
    known = not any(image.open[1:]) and not any(output.open[1:])
    if known and image.open[:1] == output.open[:1]:
        elements = math.prod(image.sizes)
        rows, rest = divmod(elements, depth)
        if rest or rows * channels != math.prod(output.sizes):
            yield (
                f"reads the shape {image.sizes} with a kernel of shape {kernel} and "
                f"makes the shape {output.sizes}"
            )


def _window_faults(
    options: Any, kernel: list[int], image: _Shape, output: _Shape
) -> Iterator[str]:
    """Yields what is wrong with a convolution.

    Args:
      options: of the layer.
      kernel: its shape, ``[O, kh, kw, I]``, or ``[1, kh, kw, O]`` if depthwise.
      image: what it reads, ``[N, h, w, C]``.
      output: what it makes, ``[N, h, w, O]``.
    """
    strides = (options.strideH, options.strideW)
    dilations = (options.dilationHFactor, options.dilationWFactor)
    if not all(1 <= step <= _LARGEST_STEP for step in (*strides, *dilations)):
        yield f"has the strides {strides} and the dilations {dilations}"
        return
    if options.padding not in (schema.Padding.SAME, schema.Padding.VALID):
        yield f"has the padding {options.padding}"
        return
    if len(image.sizes) != 4 or len(output.sizes) != 4:
        yield f"reads the shape {image.sizes} and makes the shape {output.sizes}"
        return
    first, *window, last = kernel
    depth = image.sizes[-1]
    multiplier = getattr(options, "depthMultiplier", None)
    if multiplier is not None:
        channels, fits = last, first == 1 and depth * multiplier == last
    else:
        channels, groups = first, depth // last
        fits = depth % last == 0 < groups and first % groups == 0
    if not fits:
        yield f"reads {depth} channels with a kernel of shape {kernel}"
        return
    expected = [image.sizes[0], 0, 0, channels]
    for axis in (0, 1):
        covered = (window[axis] - 1) * dilations[axis]
        if options.padding == schema.Padding.SAME:
            covered = 0
        places = image.sizes[1 + axis] - 1 - covered
        expected[1 + axis] = places // strides[axis] + 1
    if any(
        not (image.open[axis] or output.open[axis])
        and (output.sizes[axis] != size or size < 1)
        for axis, size in enumerate(expected)
    ):
        yield f"makes the shape {output.sizes}, expected {expected}"
