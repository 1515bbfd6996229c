"""Brings a `.tflite` model into the form that TVM's importer reads.

Sparse kernels, and those of half precision, become dense float32 constants, which is
the work of milliseconds here and of seconds there; so do shapes that the file computes.
What fully connected layers read becomes a matrix, as the importer would keep its axes.
"""

import math
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
        _flatten_inputs(model, graph)
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
        operator.inputs = [operator.inputs[0], _new_shape(model, graph, shape)]


def _flatten_inputs(model: Any, graph: Any) -> None:
    """Reshapes what fully connected layers read, unless it is a matrix."""
    operators = []
    for operator in graph.operators:
        if flatbuffer.operator_of(model, operator) == Op.FULLY_CONNECTED:
            x, weights = (
                flatbuffer.integers(graph.tensors[i].shape) for i in operator.inputs[:2]
            )
            keeps = operator.builtinOptions and operator.builtinOptions.keepNumDims
            if len(x) != 2 and not keeps and len(weights) == 2 and weights[1]:
                shape = [math.prod(x) // weights[1], weights[1]]
                operators.append(_reshape(model, graph, operator, shape))
        operators.append(operator)
    graph.operators = operators


def _reshape(model: Any, graph: Any, reader: Any, shape: list[int]) -> Any:
    """Returns an operator that reshapes the first thing that another reads."""
    x = int(reader.inputs[0])
    matrix = schema.TensorT()
    matrix.name = b"matrix"
    matrix.type = graph.tensors[x].type
    matrix.shape = np.array(shape, np.int32)
    graph.tensors.append(matrix)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = Op.RESHAPE
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.outputs = [len(graph.tensors) - 1]
    operator.inputs = [x, _new_shape(model, graph, shape)]
    reader.inputs = [operator.outputs[0], *reader.inputs[1:]]
    return operator


def _new_shape(model: Any, graph: Any, shape: Any) -> int:
    """Adds a constant for a shape, and returns its number."""
    tensor = schema.TensorT()
    tensor.name = b"shape"
    tensor.type = schema.TensorType.INT32
    tensor.shape = np.array([len(shape)], np.int32)
    tensor.buffer = _new_buffer(model, np.array(shape, np.int32))
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


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
