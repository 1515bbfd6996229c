"""Scalars of activations in the shape that XNNPACK's sparse inference takes.

It joins an addition or a multiplication with others only where both operands have four
axes (XNNPACK, src/subgraph.c, `xnn_check_nchw_compatibility`). What the converter makes
of Keras' hard sigmoid adds and multiplies by scalars without any axis.
"""

import copy
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, validation

_OPERATORS = {schema.BuiltinOperator.ADD, schema.BuiltinOperator.MUL}
_RANK = 4


def with_axes(content: bytes, name: str = "the model") -> bytes:
    """Gives scalars that are added to feature maps, or multiply them, four axes of 1.

    Args:
      content: a `.tflite` file.
      name: what error messages call it.

    Returns:
      A `.tflite` file that computes the same.

    Raises:
      ValueError: if the file is damaged.
    """
    model = validation.validated(content, name)
    lifted = [_lift(model, graph) for graph in model.subgraphs]
    return flatbuffer.write(model) if any(lifted) else content


def _lift(model: Any, graph: Any) -> int:
    """Lifts the scalars of a subgraph; returns how many."""
    twins: dict[int, int] = {}
    for operator in graph.operators:
        if flatbuffer.operator_of(model, operator) not in _OPERATORS:
            continue
        read = flatbuffer.integers(operator.inputs)
        if not any(len(graph.tensors[tensor].shape) == _RANK for tensor in read):
            continue
        for slot, index in enumerate(read):
            tensor = graph.tensors[index]
            scalar = not len(tensor.shape)
            if scalar and flatbuffer.constant_bytes(model, tensor) is not None:
                if index not in twins:
                    twins[index] = _add_twin(model, graph, tensor)
                read[slot] = twins[index]
        operator.inputs = np.array(read, np.int32)
    return len(twins)


def _add_twin(model: Any, graph: Any, scalar: Any) -> int:
    """Adds a tensor with axes to a subgraph; returns its index."""
    twin = copy.copy(scalar)
    twin.shape = [1] * _RANK
    twin.shapeSignature = None
    # runtimes expect that no two tensors share a buffer
    buffer = schema.BufferT()
    buffer.data = model.buffers[scalar.buffer].data.copy()
    twin.buffer = len(model.buffers)
    model.buffers.append(buffer)
    graph.tensors.append(twin)
    return len(graph.tensors) - 1
