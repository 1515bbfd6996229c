"""Reads the kernels of a `.tflite` file, sparse or dense."""

import dataclasses
from typing import Any

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
    for graph in model.subgraphs:
        producers = {int(t): o for o in graph.operators for t in o.outputs}
        for operator in graph.operators:
            name = _LAYERS.get(flatbuffer.operator_of(model, operator))
            if name is None:
                continue
            index = int(operator.inputs[1])
            while (
                index in producers
                and flatbuffer.operator_of(model, producers[index]) in _THROUGH
            ):
                index = int(producers[index].inputs[0])
            tensor = graph.tensors[index]
            values = flatbuffer.constant(model, tensor)
            if values is not None:
                output = graph.tensors[int(operator.outputs[0])]
                found.append(_stored(tensor, values, name, _pixels(output)))
    return found


def _pixels(output: Any) -> int | None:
    sizes = [int(size) for size in output.shape[1:-1]]
    return None if any(size < 1 for size in sizes) else int(np.prod(sizes))


def _stored(tensor: Any, values: np.ndarray, name: str, pixels) -> StoredKernel:
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
        operator=name,
        kernel=flatbuffer.to_kernel(dense.reshape(tensor.shape)),
        pixels=pixels,
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
