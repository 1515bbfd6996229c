"""Checks a `.tflite` file before a runtime sees it.

Runtimes trust the indices of a sparse tensor, and a wrong one makes them crash.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer

_INDEX_VECTORS = (schema.Uint8VectorT, schema.Uint16VectorT, schema.Int32VectorT)


def validated(content: bytes, name: str = "the model") -> Any:
    """Unpacks a `.tflite` file and checks what runtimes rely on.

    Args:
      content: the file's bytes.
      name: what error messages call it.

    Returns:
      The schema's ``ModelT``.

    Raises:
      ValueError: naming the file, the tensor and what is wrong with it.
    """
    model = flatbuffer.read(content, name)
    for graph in model.subgraphs:
        for fault in _graph_faults(model, graph):
            raise ValueError(
                f"{name} is damaged: {fault}. Convert it again from the Keras model."
            )
    return model


def _graph_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields what is wrong with a subgraph, references first."""
    count = len(graph.tensors or [])
    for operator in graph.operators or []:
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            yield f"operator code {operator.opcodeIndex} does not exist"
        for index in (*_items(operator.inputs), *_items(operator.outputs)):
            if not -1 <= index < count:
                yield f"an operator names tensor {index} of {count}"
    for index in (*_items(graph.inputs), *_items(graph.outputs)):
        if not 0 <= index < count:
            yield f"the graph names tensor {index} of {count}"
    for tensor in graph.tensors or []:
        name = flatbuffer.tensor_name(tensor)
        if not 0 <= tensor.buffer < len(model.buffers):
            yield f"tensor {name!r} names buffer {tensor.buffer}"
        elif tensor.sparsity is not None:
            for fault in _sparsity_faults(model, tensor):
                yield f"sparse tensor {name!r} {fault}"
        elif _stored_bytes(model, tensor) not in (0, _dense_bytes(tensor)):
            yield (
                f"tensor {name!r} of shape {_items(tensor.shape)} stores "
                f"{_stored_bytes(model, tensor)} bytes, expected {_dense_bytes(tensor)}"
            )


def _items(vector: Any) -> list[int]:
    return [] if vector is None else [int(item) for item in vector]


def _stored_bytes(model: Any, tensor: Any) -> int:
    data = model.buffers[tensor.buffer].data
    return 0 if data is None or tensor.type not in flatbuffer.FLOATS else len(data)


def _dense_bytes(tensor: Any) -> int:
    item = flatbuffer.FLOATS.get(tensor.type, np.dtype(np.uint8)).itemsize
    return int(np.prod(_items(tensor.shape), dtype=np.int64)) * item


def _sparsity_faults(model: Any, tensor: Any) -> Iterator[str]:
    sparsity = tensor.sparsity
    shape, order = _items(tensor.shape), _items(sparsity.traversalOrder)
    block_map, levels = _items(sparsity.blockMap), sparsity.dimMetadata or []
    rank = len(shape)
    if tensor.type not in flatbuffer.FLOATS:
        yield f"has the type {tensor.type}, expected float32 or float16"
        return
    if sorted(order) != list(range(rank + len(block_map))) or len(levels) != len(order):
        yield (
            f"of rank {rank} has the traversal order {order}, the block map "
            f"{block_map} and {len(levels)} levels"
        )
        return
    if any(not 0 <= axis < rank for axis in block_map) or len(set(block_map)) < len(
        block_map
    ):
        yield f"of rank {rank} has the block map {block_map}"
        return
    blocks = [1] * rank
    for place, level in zip(order, levels, strict=True):
        if place >= rank:
            blocks[block_map[place - rank]] = int(level.denseSize)
    entries = 1
    for place, level in zip(order, levels, strict=True):
        size = blocks[block_map[place - rank]] if place >= rank else 0
        if place < rank:
            if blocks[place] < 1 or shape[place] % blocks[place]:
                yield f"has blocks of {blocks[place]} on axis {place} of {shape}"
                return
            size = shape[place] // blocks[place]
        if level.format == schema.DimensionType.SPARSE_CSR and place < rank:
            fault = _index_fault(level, entries, size)
            if fault:
                yield fault
                return
            entries = len(level.arrayIndices.values)
        elif level.format == schema.DimensionType.DENSE and level.denseSize == size:
            entries *= size
        else:
            yield f"has a level of format {level.format} and size {level.denseSize}"
            return
    stored = _stored_bytes(model, tensor)
    expected = entries * flatbuffer.FLOATS[tensor.type].itemsize
    if stored != expected:
        yield f"stores {stored} bytes of values, expected {expected}"


def _index_fault(level: Any, entries: int, size: int) -> str | None:
    """Returns what is wrong with a sparse level, or None."""
    vectors = (level.arraySegments, level.arrayIndices)
    if any(not isinstance(v, _INDEX_VECTORS) or v.values is None for v in vectors):
        return "lacks segments or indices"
    segments = np.asarray(level.arraySegments.values, np.int64)
    indices = np.asarray(level.arrayIndices.values, np.int64)
    if segments.size != entries + 1 or segments[0] != 0:
        return f"has {segments.size} segments, expected {entries + 1} from 0"
    if (np.diff(segments) < 0).any() or segments[-1] != indices.size:
        return f"has segments that do not count up to its {indices.size} indices"
    if indices.size and not 0 <= indices.min() <= indices.max() < size:
        return f"has indices outside 0 to {size - 1}"
    same_segment = np.ones(max(indices.size - 1, 0), bool)
    starts = segments[(segments > 0) & (segments < indices.size)]
    same_segment[starts - 1] = False
    if (np.diff(indices)[same_segment] <= 0).any():
        return "has indices that do not increase"
    return None
