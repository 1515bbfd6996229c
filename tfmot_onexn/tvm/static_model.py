"""Brings a `.tflite` model into the form that TVM's importer reads.

Sparse kernels, and those of half precision, become dense float32 constants, which is
the work of milliseconds here and of seconds there; so do shapes that the file computes.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, kernels

Op = schema.BuiltinOperator


def prepare(model: Any) -> None:
    """Changes a ``ModelT`` that `validation` accepts, in place."""
    for graph in model.subgraphs:
        _fold_kernels(model, graph)
        _fix_shapes(model, graph)
        _drop_unused(graph)


def _fold_kernels(model: Any, graph: Any) -> None:
    kept = []
    for operator in graph.operators:
        values = _folded(model, graph, operator)
        if values is None:
            kept.append(operator)
        else:
            result = graph.tensors[operator.outputs[0]]
            result.buffer = _new_buffer(model, values)
    graph.operators = kept


def _folded(model: Any, graph: Any, operator: Any) -> np.ndarray | None:
    """Returns what an operator makes of a stored kernel, None if it does not."""
    kind = flatbuffer.operator_of(model, operator)
    if kind not in (Op.DENSIFY, Op.DEQUANTIZE):
        return None
    stored = graph.tensors[operator.inputs[0]]
    values = flatbuffer.constant(model, stored)
    if values is None:
        return None
    if kind == Op.DENSIFY:
        return None if stored.sparsity is None else kernels.decode(stored, values)
    return values.astype(np.float32) if values.dtype == np.float16 else None


def _fix_shapes(model: Any, graph: Any) -> None:
    for operator in graph.operators:
        if flatbuffer.operator_of(model, operator) != Op.RESHAPE:
            continue
        if len(operator.inputs) < 2:
            continue
        shape = graph.tensors[operator.outputs[0]].shape
        given = graph.tensors[operator.inputs[1]]
        if flatbuffer.constant_bytes(model, given) is not None:
            continue
        tensor = schema.TensorT()
        tensor.name = b"shape"
        tensor.type = schema.TensorType.INT32
        tensor.shape = np.array([len(shape)], np.int32)
        tensor.buffer = _new_buffer(model, np.array(shape, np.int32))
        graph.tensors.append(tensor)
        operator.inputs = [operator.inputs[0], len(graph.tensors) - 1]


def _drop_unused(graph: Any) -> None:
    """Removes operators whose outputs nothing reads."""
    while True:
        read = {int(i) for operator in graph.operators for i in operator.inputs}
        read |= {int(i) for i in graph.outputs}
        kept = [
            operator
            for operator in graph.operators
            if any(int(i) in read for i in operator.outputs)
        ]
        if len(kept) == len(graph.operators):
            return
        graph.operators = kept


def _new_buffer(model: Any, values: np.ndarray) -> int:
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1
