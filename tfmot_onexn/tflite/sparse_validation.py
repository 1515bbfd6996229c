"""Checks the sparse tensors of a `.tflite` file and the operators that read them.

Runtimes follow the indices of a sparse tensor unseen, and a wrong one makes them crash.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer
from tfmot_onexn.tflite.flatbuffer import called, integers, listed

_INDEX_VECTORS = (schema.Uint8VectorT, schema.Uint16VectorT, schema.Int32VectorT)


def tensor_faults(model: Any, tensor: Any) -> Iterator[str]:
    """Yields what is wrong with a sparse tensor: its levels, indices and values."""
    sparsity = tensor.sparsity
    shape, order = integers(tensor.shape), integers(sparsity.traversalOrder)
    block_map, levels = integers(sparsity.blockMap), sparsity.dimMetadata
    rank = len(shape)
    if tensor.type not in flatbuffer.FLOATS:
        yield f"has the type {tensor.type}, expected float32 or float16"
        return
    if min(shape, default=0) < 1:
        yield f"has the shape {shape}"
        return
    # runtimes read the size of block i from level rank + i
    if (
        sorted(order[:rank]) != list(range(rank))
        or order[rank:] != list(range(rank, rank + len(block_map)))
        or len(levels) != len(order)
    ):
        yield (
            f"of rank {rank} has the traversal order {listed(order)}, the block "
            f"map {listed(block_map)} and {len(levels)} levels"
        )
        return
    if any(not 0 <= axis < rank for axis in block_map) or block_map != sorted(
        set(block_map)
    ):
        yield f"of rank {rank} has the block map {listed(block_map)}"
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
    values = flatbuffer.constant_bytes(model, tensor)
    stored = 0 if values is None else len(values)
    expected = entries * flatbuffer.FLOATS[tensor.type].itemsize
    if stored != expected or not stored:
        yield f"stores {stored} bytes of values, expected {expected}"


def reader_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields who reads a sparse tensor as if it were dense, and what DENSIFY makes.

    TensorFlow Lite's own FULLY_CONNECTED knows some sparse kernels, but XNNPACK, which
    takes its place, reads past their end; so nothing but DENSIFY may read them.
    """
    sparse = {i for i, t in enumerate(graph.tensors) if t.sparsity is not None}
    for index in sparse.intersection(integers(graph.inputs) + integers(graph.outputs)):
        yield f"the graph names sparse {called(graph.tensors[index])}"
    for operator in graph.operators:
        code = flatbuffer.operator_of(model, operator)
        inputs = integers(operator.inputs)
        if code == schema.BuiltinOperator.DENSIFY:
            yield from _densify_faults(graph, operator)
            continue
        for index in inputs:
            if index in sparse:
                yield (
                    f"{flatbuffer.operator_name(code)} reads sparse "
                    f"{called(graph.tensors[index])} without DENSIFY"
                )


def _densify_faults(graph: Any, operator: Any) -> Iterator[str]:
    source, target = (
        graph.tensors[integers(indices)[0]]
        for indices in (operator.inputs, operator.outputs)
    )
    if source.sparsity is None:
        yield f"DENSIFY reads {called(source)}, which is not sparse"
    given, made = ((t.type, integers(t.shape)) for t in (source, target))
    if given != made or target.sparsity is not None:
        yield (
            f"DENSIFY makes {called(target)} of type {made[0]} and shape "
            f"{made[1]}, expected {given[0]} and {given[1]}"
        )


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
