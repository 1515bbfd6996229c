"""Finds how large a graph's tensors are for one image, and how often layers compute.

A file leaves the number of images open, and with it what reshaping makes of it.
"""

import math
from collections.abc import Sequence
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer

Op = schema.BuiltinOperator

# operators whose result has the size of their largest input
_ALIKE = {
    *(Op.ADD, Op.DIV, Op.ELU, Op.GELU, Op.HARD_SWISH, Op.LEAKY_RELU, Op.LOGISTIC),
    *(Op.MUL, Op.RELU, Op.RELU6, Op.SOFTMAX, Op.SUB, Op.TANH),
}
_TRANSPOSED = (Op.TRANSPOSE_CONV, Op.CONV_3D_TRANSPOSE)
_KERNEL = 1
_TRANSPOSED_INPUT = 2


class Sizes:
    """The sizes of a graph's tensors."""

    def __init__(self, model: Any, graph: Any):
        """Walks a graph of a ``ModelT`` that `validation` accepts."""
        self._model = model
        self._tensors = graph.tensors
        self._elements: dict[int, int | None] = {}
        self._pieces: dict[int, int | None] = {}
        for operator in graph.operators:
            code = flatbuffer.operator_of(model, operator)
            inputs = [int(tensor) for tensor in operator.inputs if tensor >= 0]
            for tensor in map(int, operator.outputs):
                if code == Op.SPACE_TO_BATCH_ND:
                    self._pieces[tensor] = self._pieces_of(inputs)
                elif code in (*_ALIKE, Op.RESHAPE, Op.FULLY_CONNECTED) and inputs:
                    self._elements[tensor] = self._result(code, inputs)

    def positions(self, operator: Any) -> int | None:
        """Returns at how many positions per image a layer uses its kernel.

        Args:
          operator: a convolution or fully connected layer, its kernel in place.

        Returns:
          The output positions, of a transposed convolution the input positions, of a
          fully connected layer the rows; None where the file leaves them open.
        """
        code = flatbuffer.operator_of(self._model, operator)
        inputs = [int(tensor) for tensor in operator.inputs]
        if inputs[0] < 0:
            return None
        if code == Op.FULLY_CONNECTED:
            elements, width = self._of(inputs[0]), self._shape(inputs[_KERNEL])[-1]
            return elements // width if elements and width else None
        counted = int(operator.outputs[0])
        if code in _TRANSPOSED:
            counted = inputs[_TRANSPOSED_INPUT]
        if counted < 0:
            return None
        pieces = self._pieces.get(inputs[0], 1)
        return _product([*self._shape(counted)[1:-1], pieces])

    def _result(self, code: int, inputs: list[int]) -> int | None:
        """Returns the elements per image of what an operator makes."""
        elements = self._of(inputs[0])
        if code in _ALIKE:
            sizes = [self._of(tensor) for tensor in inputs]
            known = [size for size in sizes if size is not None]
            return max(known) if len(known) == len(sizes) else None
        if code == Op.FULLY_CONNECTED and elements is not None:
            kernel_oi = self._shape(inputs[_KERNEL]) if len(inputs) > _KERNEL else []
            if len(kernel_oi) != 2 or kernel_oi[0] is None or kernel_oi[1] is None:
                return None
            return elements // kernel_oi[1] * kernel_oi[0]
        return elements

    def _of(self, tensor: int) -> int | None:
        """Returns a tensor's elements per image."""
        if tensor in self._elements:
            return self._elements[tensor]
        return _product(self._shape(tensor)[1:])

    def _shape(self, index: int) -> list[int | None]:
        """Returns a tensor's shape, None where the file leaves a size open."""
        tensor = self._tensors[index]
        shape = [int(size) for size in tensor.shape]
        signature = tensor.shapeSignature
        if signature is None or len(signature) != len(shape):
            signature = shape
        return [
            None if size < 1 or fixed < 0 else size
            for size, fixed in zip(shape, signature, strict=True)
        ]

    def _pieces_of(self, inputs: list[int]) -> int | None:
        """Returns into how many a dilated convolution cuts each image."""
        if len(inputs) < 2:
            return None
        tensor = self._tensors[inputs[1]]
        block = flatbuffer.constant_bytes(self._model, tensor)
        if block is None or len(block) != 8 or tensor.type != schema.TensorType.INT32:
            return None
        return _product(block.view("<i4").tolist())


def _product(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None and size > 0]
    return math.prod(known) if len(known) == len(sizes) else None
