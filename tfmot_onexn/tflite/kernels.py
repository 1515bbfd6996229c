"""Reads the kernels of a `.tflite` file, sparse or dense."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer

_LAYERS = {
    **flatbuffer.KERNEL_LAYERS,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: "DEPTHWISE_CONV_2D",
}
_THROUGH = (schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.DENSIFY)


@dataclasses.dataclass(frozen=True)
class StoredKernel:
    """A layer's kernel as a file stores it.

    Attributes:
      name: the tensor's name.
      operator: "CONV_2D", "DEPTHWISE_CONV_2D" or "FULLY_CONNECTED".
      kernel: dense weights ``[kh, kw, in, out]`` or ``[in, out]``; ``[kh, kw, out, 1]``
        if depthwise.
      pixels: output positions per image, which multiply its MACs; None if unknown.
      n: output channels per stored block, None for a dense tensor.
      stored_bytes: of values and indices.
    """

    name: str
    operator: str
    kernel: np.ndarray
    pixels: int | None
    n: int | None
    stored_bytes: int

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates per image."""
        return None if self.pixels is None else self.pixels * self.kernel.size

    @property
    def nonzero_macs(self) -> int | None:
        """Multiply-accumulates per image with a weight other than 0."""
        if self.pixels is None:
            return None
        return self.pixels * int(np.count_nonzero(self.kernel))


def read(model: Any) -> list[StoredKernel]:
    """Returns the float kernels of all convolutions and fully connected layers.

    Args:
      model: a ``ModelT`` that `validation` accepts.
    """
    found = []
    for layer in layers(model):
        values = flatbuffer.constant(model, layer.tensor)
        if values is not None:
            found.append(_stored(layer, values))
    return found


class Layer(NamedTuple):
    """A layer of a file and the tensor that holds its kernel.

    Attributes:
      operator: "CONV_2D", "DEPTHWISE_CONV_2D" or "FULLY_CONNECTED".
      tensor: what is stored, before `DENSIFY` and `DEQUANTIZE`.
      output: what the layer computes.
    """

    operator: str
    tensor: Any
    output: Any


def layers(model: Any) -> Iterator[Layer]:
    """Yields the layers that have a kernel, in the order of a file's operators."""
    for graph in model.subgraphs:
        sources: dict[int, int] = {}
        for operator in graph.operators:
            code = flatbuffer.operator_of(model, operator)
            if code in _THROUGH:
                index = int(operator.inputs[0])
                sources[int(operator.outputs[0])] = sources.get(index, index)
            elif code in _LAYERS:
                index = int(operator.inputs[1])
                yield Layer(
                    _LAYERS[code],
                    graph.tensors[sources.get(index, index)],
                    graph.tensors[int(operator.outputs[0])],
                )


def _pixels(output: Any) -> int | None:
    sizes = [int(size) for size in output.shape[1:-1]]
    return None if any(size < 1 for size in sizes) else math.prod(sizes)


def _stored(layer: Layer, values: np.ndarray) -> StoredKernel:
    tensor = layer.tensor
    n, stored_bytes, dense = None, values.nbytes, values
    if tensor.sparsity is not None:
        n = int(block_shape(tensor)[0])
        stored_bytes += sum(
            level.arraySegments.values.nbytes + level.arrayIndices.values.nbytes
            for level in tensor.sparsity.dimMetadata
            if level.format == schema.DimensionType.SPARSE_CSR
        )
        dense = decode(tensor, values)
    return StoredKernel(
        name=flatbuffer.tensor_name(tensor),
        operator=layer.operator,
        kernel=flatbuffer.to_kernel(dense.reshape(tensor.shape)),
        pixels=_pixels(layer.output),
        n=n,
        stored_bytes=stored_bytes,
    )


def block_shape(tensor: Any) -> np.ndarray:
    """Returns the size of a sparse tensor's blocks along each axis ``[rank]``."""
    sparsity = tensor.sparsity
    rank = len(tensor.shape)
    sizes = np.ones(rank, np.int64)
    for order, level in zip(sparsity.traversalOrder, sparsity.dimMetadata, strict=True):
        if order >= rank:
            sizes[sparsity.blockMap[order - rank]] = level.denseSize
    return sizes


def decode(tensor: Any, values: np.ndarray) -> np.ndarray:
    """Returns the dense values of any sparse tensor that `validation` accepts.

    Level by level in traversal order, each entry is repeated for the coordinates below
    it; dense levels have all of them, sparse ones those that the indices name.
    """
    sparsity = tensor.sparsity
    shape = [int(size) for size in tensor.shape]
    blocks = block_shape(tensor)
    at = np.zeros((1, len(shape)), np.int64)
    for order, level in zip(sparsity.traversalOrder, sparsity.dimMetadata, strict=True):
        if level.format == schema.DimensionType.SPARSE_CSR:
            segments = np.asarray(level.arraySegments.values, np.int64)
            counts = segments[1:] - segments[:-1]
            places = np.asarray(level.arrayIndices.values, np.int64)
            at = np.repeat(at, counts, axis=0)
        else:
            places = np.tile(np.arange(level.denseSize), len(at))
            at = np.repeat(at, level.denseSize, axis=0)
        if order < len(shape):
            at[:, order] += places * blocks[order]
        else:
            at[:, sparsity.blockMap[order - len(shape)]] += places
    dense = np.zeros(shape, values.dtype)
    dense[tuple(at.T)] = values
    return dense
