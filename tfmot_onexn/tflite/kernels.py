"""Reads the kernels of a `.tflite` file, sparse or dense."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, layers


@dataclasses.dataclass(frozen=True, eq=False)
class StoredKernel:
    """A layer's kernel as a file stores it.

    Attributes:
      name: of the layer, see `layers.layer_name`.
      operator: the schema's name of the layer's operator.
      kernel: dense weights ``[kh, kw, in, out]`` or ``[in, out]``; ``[kh, kw, out, 1]``
        if depthwise.
      positions: at which a layer uses the kernel per image, over all its uses; they
        multiply its MACs. None if not known.
      strided: whether it is a convolution with strides.
      n: output channels per stored block, None for a dense tensor.
      stored_bytes: of values and indices.
      places: the operators that use it.
    """

    name: str
    operator: str
    kernel: np.ndarray
    positions: int | None
    strided: bool
    n: int | None
    stored_bytes: int
    places: tuple[layers.Place, ...]

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates per image."""
        return None if self.positions is None else self.positions * self.kernel.size

    @property
    def nonzero_macs(self) -> int | None:
        """Multiply-accumulates per image with a weight other than 0."""
        if self.positions is None:
            return None
        return self.positions * int(np.count_nonzero(self.kernel))


def read(model: Any) -> list[StoredKernel]:
    """Returns the float kernels of all convolutions and fully connected layers.

    A kernel that several operators use is one.

    Args:
      model: a ``ModelT`` that `validation` accepts.
    """
    return list(_read(model))


def _read(model: Any) -> Iterator[StoredKernel]:
    for layer in layers.find(model):
        values = flatbuffer.constant(model, layer.stored)
        if values is None:
            continue
        n, stored_bytes = None, values.nbytes
        if layer.stored.sparsity is not None:
            n = int(block_shape(layer.stored)[0])
            stored_bytes += _index_bytes(layer.stored.sparsity)
            values = decode(layer.stored, values)
        yield StoredKernel(
            name=layer.name,
            operator=layer.operator,
            kernel=_in_order(layer.operator, values.reshape(layer.stored.shape)),
            positions=layer.positions,
            strided=layer.strided,
            n=n,
            stored_bytes=stored_bytes,
            places=layer.places,
        )


def _index_bytes(sparsity: Any) -> int:
    return sum(
        level.arraySegments.values.nbytes + level.arrayIndices.values.nbytes
        for level in sparsity.dimMetadata
        if level.format == schema.DimensionType.SPARSE_CSR
    )


def _in_order(operator: str, weights: np.ndarray) -> np.ndarray:
    """Returns weights with their axes in the order of `StoredKernel.kernel`."""
    if operator == "CONV_3D":
        return weights
    if operator == "CONV_3D_TRANSPOSE":
        return np.swapaxes(weights, -1, -2)
    return flatbuffer.to_kernel(weights)


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
