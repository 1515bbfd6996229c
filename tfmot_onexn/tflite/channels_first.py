"""Which operators XNNPACK can run on feature maps with channels first, and how.

Its sparse kernels read channels first, so this decides where they can run (XNNPACK,
src/subgraph.c, `xnn_check_nchw_compatibility`; see `sparse_inference`).
"""

import collections
import dataclasses
import enum
from typing import Any, TypeAlias

from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer

Op = schema.BuiltinOperator


class Role(enum.Flag):
    """What an operator can do with channels first."""

    NONE = 0
    ENTERS = enum.auto()  # reads channels last, writes them first
    STAYS = enum.auto()
    LEAVES = enum.auto()  # reads them first, writes them last


@dataclasses.dataclass(frozen=True, eq=False)
class Node:
    """An operator that computes something from feature maps.

    Attributes:
      index: of the operator in its graph.
      delegated: whether XNNPACK takes it.
      inputs: the tensors it reads that are not constant.
      outputs: the tensors it writes.
      role: what it can do with channels first.
      pointwise: the weights' tensor of a 1x1 convolution, or of a fully connected layer
        on images, that works channels first.
      keep_dims: whether it is a reduction that keeps its axes.
    """

    index: int
    delegated: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    role: Role
    pointwise: int | None
    keep_dims: bool


_UNARY = {
    *(Op.ABS, Op.CEIL, Op.COS, Op.ELU, Op.EXP, Op.FLOOR, Op.GELU, Op.HARD_SWISH),
    *(Op.LEAKY_RELU, Op.LOG, Op.LOGISTIC, Op.NEG, Op.RELU, Op.RELU6, Op.RELU_N1_TO_1),
    *(Op.ROUND, Op.RSQRT, Op.SIN, Op.SQRT, Op.SQUARE, Op.TANH),
}
_REDUCTIONS = {Op.MEAN, Op.SUM}
_UNPACKING = {Op.DENSIFY, Op.DEQUANTIZE}
_CONVOLUTIONS: dict[int, Any] = {
    Op.CONV_2D: schema.Conv2DOptionsT,
    Op.DEPTHWISE_CONV_2D: schema.DepthwiseConv2DOptionsT,
}
_DELEGATED = {
    *(*_UNARY, *_REDUCTIONS, *_UNPACKING, *_CONVOLUTIONS),
    *(Op.ADD, Op.AVERAGE_POOL_2D, Op.BATCH_MATMUL, Op.CONCATENATION, Op.DIV),
    *(Op.DEPTH_TO_SPACE, Op.EXPAND_DIMS, Op.FULLY_CONNECTED, Op.MAXIMUM),
    *(Op.MAX_POOL_2D, Op.MINIMUM, Op.MUL, Op.PAD, Op.PRELU, Op.QUANTIZE),
    *(Op.REDUCE_MAX, Op.REDUCE_MIN, Op.RESHAPE, Op.RESIZE_BILINEAR, Op.SLICE),
    *(Op.SOFTMAX, Op.SPACE_TO_DEPTH, Op.SPLIT, Op.SQUARED_DIFFERENCE),
    *(Op.STRIDED_SLICE, Op.SUB, Op.TRANSPOSE, Op.TRANSPOSE_CONV),
}


Padding: TypeAlias = tuple[int, ...]  # top, bottom, left, right


class _Window:
    """How a convolution's window moves.

    Attributes:
      size: ``(kh, kw)``.
      strides: ``(height, width)``.
      dilated: whether there are gaps in the window.
      padding: ``(top, bottom, left, right)``, or None where only the size of the
        feature map tells it.
    """

    def __init__(self, options: Any, size: tuple[int, int]):
        self.size = size
        self.strides = (int(options.strideH), int(options.strideW))
        dilation = (int(options.dilationHFactor), int(options.dilationWFactor))
        self.dilated = dilation != (1, 1)
        self.padding: Padding | None = (0, 0, 0, 0)
        if options.padding == schema.Padding.SAME:
            self.padding = None
            if self.strides == (1, 1):
                around = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
                self.padding = tuple(
                    part for total in around for part in (total // 2, -(-total // 2))
                )

    @property
    def takes_padding(self) -> bool:
        """Whether a padding before the convolution becomes part of it.

        A 1x1 convolution is a fully connected layer to XNNPACK, which has none.
        """
        return self.padding is not None and self.size != (1, 1)

    def pad(self, added: Padding) -> None:
        """Takes over the padding of an operator before."""
        own = self.padding or (0, 0, 0, 0)
        self.padding = tuple(a + b for a, b in zip(own, added, strict=True))


class Reader:
    """Reads a subgraph as XNNPACK does, each padding joined with its convolution."""

    def __init__(self, model: Any, graph: Any):
        self._model = model
        self._tensors = graph.tensors
        self._operators = [
            (flatbuffer.operator_of(model, operator), operator)
            for operator in graph.operators
        ]
        self._constant = {
            index
            for index, tensor in enumerate(graph.tensors)
            if flatbuffer.constant_bytes(model, tensor) is not None
        }
        for code, operator in self._operators:
            if code in _UNPACKING and self._constant.issuperset(operator.inputs):
                self._constant.update(map(int, operator.outputs))
        self._reads = collections.Counter(
            int(tensor) for _, operator in self._operators for tensor in operator.inputs
        )
        self._reads.update(int(tensor) for tensor in graph.outputs)

    def nodes(self) -> list[Node]:
        """Returns what computes, in order."""
        nodes: dict[int, Node] = {}
        pads: dict[int, tuple[int, Padding]] = {}
        for index, (code, operator) in enumerate(self._operators):
            inputs = [int(tensor) for tensor in operator.inputs if tensor >= 0]
            outputs = [int(tensor) for tensor in operator.outputs]
            if code in _UNPACKING and self._constant.issuperset(inputs):
                continue
            window = self._window(code, operator)
            if window is not None and window.takes_padding and inputs[0] in pads:
                pad, around = pads[inputs[0]]
                window.pad(around)
                inputs[0] = nodes.pop(pad).inputs[0]
            role = self._role(code, inputs, outputs, window)
            pointwise = code == Op.FULLY_CONNECTED
            if code == Op.CONV_2D and window is not None:
                pointwise = window.size == (1, 1)
            nodes[index] = Node(
                index=index,
                delegated=code in _DELEGATED,
                inputs=tuple(t for t in inputs if t not in self._constant),
                outputs=tuple(outputs),
                role=role,
                pointwise=inputs[1] if pointwise and role else None,
                keep_dims=bool(getattr(operator.builtinOptions, "keepDims", False)),
            )
            if code == Op.PAD and self._reads[outputs[0]] == 1:
                added = self._added(inputs)
                if added is not None and nodes[index].inputs:
                    pads[outputs[0]] = (index, added)
        return list(nodes.values())

    def _shape(self, tensor: int) -> list[int]:
        return [int(size) for size in self._tensors[tensor].shape]

    def _window(self, code: int, operator: Any) -> _Window | None:
        """Returns a convolution's window, None for any other operator."""
        options = operator.builtinOptions
        if not isinstance(options, _CONVOLUTIONS.get(code, ())):
            return None
        _, height, width, _ = self._shape(int(operator.inputs[1]))
        return _Window(options, (height, width))

    def _added(self, inputs: list[int]) -> Padding | None:
        """Returns what a PAD adds around images, None if it pads anything else."""
        if len(inputs) != 2:
            return None
        tensor = self._tensors[inputs[1]]
        data = flatbuffer.constant_bytes(self._model, tensor)
        if data is None or tensor.type != schema.TensorType.INT32 or len(data) != 32:
            return None
        batch, rows, columns, channels = data.view("<i4").reshape(4, 2).tolist()
        if any((*batch, *channels)):
            return None
        return (*rows, *columns)

    def _role(
        self, code: int, inputs: list[int], outputs: list[int], window: _Window | None
    ) -> Role:
        computed = [t for t in (*inputs, *outputs) if t not in self._constant]
        if any(self._tensors[t].type not in flatbuffer.FLOATS for t in computed):
            return Role.NONE
        shapes = [self._shape(tensor) for tensor in inputs]
        if window is not None:
            if window.dilated:
                return Role.NONE
            makes = _convolution if code == Op.CONV_2D else _depthwise
            return makes(window, shapes[0][-1:], shapes[1])
        if code == Op.DEPTH_TO_SPACE:
            return Role.LEAVES
        if not shapes or len(shapes[0]) != 4:
            return Role.NONE
        if code in _UNARY or code == Op.FULLY_CONNECTED:
            return Role.STAYS
        if code in _REDUCTIONS:
            return Role.STAYS | Role.LEAVES
        if code == Op.RESIZE_BILINEAR and min(shapes[0][1:3]) > 1:
            return Role.STAYS
        if code in (Op.ADD, Op.MUL) and [len(shape) for shape in shapes] == [4, 4]:
            # with a constant on either side, XNNPACK looks at the first operand's shape
            vector = sum(size != 1 for size in shapes[0]) <= 1
            constant = not self._constant.isdisjoint(inputs)
            return Role.STAYS if vector or not constant else Role.NONE
        return Role.NONE


def _convolution(window: _Window, channels: list[int], kernel_ohwi: list[int]) -> Role:
    if channels != kernel_ohwi[-1:]:
        return Role.NONE
    if window.size == (1, 1):
        plain = window.strides == (1, 1) and window.padding == (0, 0, 0, 0)
        return Role.STAYS if plain else Role.NONE
    first = (
        window.size == (3, 3)
        and window.strides == (2, 2)
        and window.padding == (1, 1, 1, 1)
        and channels == [3]
    )
    return Role.ENTERS if first else Role.NONE


def _depthwise(window: _Window, channels: list[int], kernel_ihwo: list[int]) -> Role:
    square = window.size in ((3, 3), (5, 5)) and window.strides in ((1, 1), (2, 2))
    around = (window.size[0] // 2,) * 4
    fits = square and window.padding == around and channels == kernel_ihwo[-1:]
    return Role.STAYS if fits else Role.NONE
