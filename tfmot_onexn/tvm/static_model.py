"""Brings a `.tflite` model into the form that TVM's importer reads.

Sparse kernels become dense constants, which is the work of milliseconds here and of
seconds there; shapes that the file computes become constants.
"""

from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, kernels

Op = schema.BuiltinOperator


def prepare(model: Any) -> None:
    """Changes a ``ModelT`` that `validation` accepts, in place."""
    for graph in model.subgraphs:
        _densify(model, graph)
        _fix_shapes(model, graph)
        _drop_unused(graph)


def _densify(model: Any, graph: Any) -> None:
    kept = []
    for operator in graph.operators:
        stored = graph.tensors[operator.inputs[0]] if len(operator.inputs) else None
        if (
            flatbuffer.operator_of(model, operator) != Op.DENSIFY
            or stored is None
            or stored.sparsity is None
        ):
            kept.append(operator)
            continue
        values = flatbuffer.constant(model, stored)
        if values is None:
            kept.append(operator)
            continue
        result = graph.tensors[operator.outputs[0]]
        result.buffer = _new_buffer(model, kernels.decode(stored, values))
    graph.operators = kept


def _fix_shapes(model: Any, graph: Any) -> None:
    for operator in graph.operators:
        if flatbuffer.operator_of(model, operator) != Op.RESHAPE:
            continue
        if len(operator.inputs) < 2:
            continue
        shape = graph.tensors[operator.outputs[0]].shape
        if flatbuffer.constant(model, graph.tensors[operator.inputs[1]]) is not None:
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
