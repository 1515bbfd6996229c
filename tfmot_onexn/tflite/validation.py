"""Checks a `.tflite` file before anything computes with it.

Runtimes trust much of what a file says, and crash on what does not hold. Checked here
is what this package writes and reads: that every number that refers to an operator
code, tensor, buffer or subgraph does so; that each operator reads what exists by then
and writes what is free to be written; that stored values fill their tensors and are in
proportion to the file's size; that convolutions and fully connected layers fit their
tensors (see `layer_validation`); that sparse tensors hold together and are read by
nothing but DENSIFY (see `sparse_validation`). A file that passes is read here in time
and memory proportional to its size.

Not checked is what any other operator demands of its options and of the types and
shapes of its tensors, nor whether an activation is too large for a machine: that is
left to the runtime.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, layer_validation, sparse_validation
from tfmot_onexn.tflite.flatbuffer import called, integers, listed

_SCHEMA_VERSION = 3
# NumPy's arrays end at 64 axes, the runtimes' operators much earlier
_MOST_AXES = 32
# few stored values may stand for large weights, but not without end
_FREE_WEIGHT_BYTES = 1 << 24
_MOST_WEIGHT_BYTES_PER_FILE_BYTE = 1000
_MOST_WEIGHT_BYTES = 1 << 31  # what a file without sparse tensors can hold
# of the types that NumPy has
_ITEM_BYTES = {
    getattr(schema.TensorType, name.upper()): np.dtype(name).itemsize
    for name in (
        *("bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "complex64", "complex128"),
    )
}
_QUANTIZED = {
    schema.TensorType.INT8: np.iinfo(np.int8),
    schema.TensorType.UINT8: np.iinfo(np.uint8),
}
_OPTIONAL = -1
_OPEN = -1  # of a size that a file leaves open
# who may leave an input out: recurrent cells, layers with a bias, and what we know
# nothing about
_WITH_OPTIONAL_INPUTS = (
    *("LSTM", "RNN", "SVDF", "CONV", "FULLY_CONNECTED"),
    *("CUSTOM", "DELEGATE", "STABLEHLO"),
)
# operator -> inputs that it needs, bias included where runtimes crash without
_NEEDED_INPUTS = {
    schema.BuiltinOperator.CONV_2D: 3,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    schema.BuiltinOperator.FULLY_CONNECTED: 2,
    schema.BuiltinOperator.DEQUANTIZE: 1,
    schema.BuiltinOperator.DENSIFY: 1,
}
# name of an operator's options, spelled like the operator -> their kind
_OWN_OPTIONS = {
    name.upper(): number
    for name, number in vars(schema.BuiltinOptions).items()
    if isinstance(number, int)
}
_NO_OPTIONS = schema.BuiltinOptions.NONE
_SAME_SHAPE = (schema.BuiltinOperator.DEQUANTIZE, schema.BuiltinOperator.QUANTIZE)


def validated(content: bytes, name: str = "the model") -> Any:
    """Unpacks a `.tflite` file and checks what this package and runtimes rely on.

    Args:
      content: the file's bytes.
      name: what error messages call it.

    Returns:
      The schema's ``ModelT``.

    Raises:
      ValueError: naming the file, the tensor and what is wrong with it.
    """
    model = flatbuffer.read(content, name)
    for fault in _faults(model, len(content)):
        raise ValueError(
            f"{name} is damaged: {fault}. Convert it again from the Keras model."
        )
    return model


def _faults(model: Any, file_bytes: int) -> Iterator[str]:
    """Yields what is wrong with a model, what later checks rely on first."""
    yield from _model_faults(model, file_bytes)
    for graph in model.subgraphs:
        yield from _reference_faults(model, graph)
        for tensor in graph.tensors:
            yield from _tensor_faults(model, tensor)
        yield from _shape_faults(model, graph)
        yield from _order_faults(model, graph)
        yield from sparse_validation.reader_faults(model, graph)
    yield from _signature_faults(model)
    yield from _size_fault(model, file_bytes)
    for graph in model.subgraphs:
        yield from layer_validation.layer_faults(model, graph)


def _model_faults(model: Any, file_bytes: int) -> Iterator[str]:
    """Yields what is wrong with the version, the buffers and who names them."""
    if model.version != _SCHEMA_VERSION:
        yield f"its schema has version {model.version}, expected {_SCHEMA_VERSION}"
    if model.buffers[0].data is not None and len(model.buffers[0].data):
        yield f"buffer 0 stores {len(model.buffers[0].data)} bytes, expected none"
    for index, buffer in enumerate(model.buffers):
        if _lies_behind(buffer) and buffer.offset + buffer.size > file_bytes:
            yield f"buffer {index} ends behind the {file_bytes} bytes of the file"
    for entry in model.metadata or []:
        if entry.name is None or not 0 <= entry.buffer < len(model.buffers):
            yield f"metadata names buffer {entry.buffer} or lacks a name"


def _lies_behind(buffer: Any) -> bool:
    """Tells whether a buffer is stored after the tables, as in files over 2 GB."""
    return buffer.offset > 1


def _reference_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields numbers of a subgraph that refer to nothing."""
    count = len(graph.tensors)
    for operator in graph.operators:
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes):
            yield f"operator code {operator.opcodeIndex} does not exist"
            return
        for index in (*integers(operator.inputs), *integers(operator.intermediates)):
            if index != _OPTIONAL and not 0 <= index < count:
                yield f"an operator names tensor {index} of {count}"
        for index in integers(operator.outputs):
            if not 0 <= index < count:
                yield f"an operator writes tensor {index} of {count}"
        yield from _operator_faults(model, operator)
    for index in (*integers(graph.inputs), *integers(graph.outputs)):
        if not 0 <= index < count:
            yield f"the graph names tensor {index} of {count}"
    for tensor in graph.tensors:
        if not 0 <= tensor.buffer < len(model.buffers):
            yield f"{called(tensor)} names buffer {tensor.buffer}"


def _operator_faults(model: Any, operator: Any) -> Iterator[str]:
    """Yields what an operator needs and lacks: inputs, an output, its own options."""
    code = flatbuffer.operator_of(model, operator)
    name, inputs = flatbuffer.operator_name(code), integers(operator.inputs)
    needed = _NEEDED_INPUTS.get(code, min(len(inputs), 1))
    if not any(part in name for part in _WITH_OPTIONAL_INPUTS):
        needed = max(needed, len(inputs))
    if len(inputs) < needed or _OPTIONAL in inputs[:needed]:
        yield f"{name} reads the tensors {listed(inputs)}, expected {needed} of them"
    if code in _NEEDED_INPUTS and not integers(operator.outputs):
        yield f"{name} writes no tensor"
    own = _OWN_OPTIONS.get(f"{name.replace('_', '')}OPTIONS")
    if own is not None and operator.builtinOptionsType not in (own, _NO_OPTIONS):
        kind = operator.builtinOptionsType
        yield f"{name} has options of kind {kind}, expected {own}"


def _tensor_faults(model: Any, tensor: Any) -> Iterator[str]:
    """Yields what is wrong with a tensor by itself."""
    shape = integers(tensor.shape)
    if len(shape) > _MOST_AXES:
        yield f"{called(tensor)} has {len(shape)} axes, expected {_MOST_AXES} at most"
        return
    if tensor.name is not None and not _is_text(tensor.name):
        yield f"{called(tensor)} has a name that is no text"
    elements = math.prod(shape)
    # runtimes count elements in 32 bits
    if min(shape, default=0) < 0 or elements > np.iinfo(np.int32).max:
        yield f"{called(tensor)} has the shape {shape}"
    signature = integers(tensor.shapeSignature)
    if signature and any(
        fixed not in (size, _OPEN)
        for size, fixed in itertools.zip_longest(shape, signature)
    ):
        yield f"{called(tensor)} of shape {shape} has the signature {listed(signature)}"
    if tensor.sparsity is not None:
        for fault in sparse_validation.tensor_faults(model, tensor):
            yield f"sparse {called(tensor)} {fault}"
    elif (values := flatbuffer.constant_bytes(model, tensor)) is not None:
        item_bytes = _ITEM_BYTES.get(tensor.type)
        if item_bytes is not None and len(values) != elements * item_bytes:
            yield (
                f"{called(tensor)} of shape {shape} stores {len(values)} bytes, "
                f"expected {elements * item_bytes}"
            )
    elif tensor.quantization is not None:
        yield from _quantization_faults(tensor)


def _quantization_faults(tensor: Any) -> Iterator[str]:
    """Yields parameters of a computed tensor that XNNPACK crashes on."""
    scale, zero = tensor.quantization.scale, tensor.quantization.zeroPoint
    if (
        scale is not None
        and not (np.isfinite(scale) & (scale >= np.finfo(np.float32).tiny)).all()
    ):
        yield f"{called(tensor)} has the scale {listed(scale.tolist())}"
    limits = _QUANTIZED.get(tensor.type)
    if (
        zero is not None
        and limits is not None
        and not ((limits.min <= zero) & (zero <= limits.max)).all()
    ):
        yield f"{called(tensor)} has the zero point {listed(zero.tolist())}"


def _shape_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields where a mere change of type changes a shape, which XNNPACK believes."""
    for operator in graph.operators:
        code = flatbuffer.operator_of(model, operator)
        if code not in _SAME_SHAPE or not len(operator.inputs):
            continue
        given = graph.tensors[operator.inputs[0]]
        for made in (graph.tensors[index] for index in operator.outputs):
            if integers(given.shape) != integers(made.shape):
                yield (
                    f"{flatbuffer.operator_name(code)} makes {called(made)} of shape "
                    f"{integers(made.shape)}, expected {integers(given.shape)}"
                )


def _order_faults(model: Any, graph: Any) -> Iterator[str]:
    """Yields where operators do not follow from what is known before them."""
    constants = {
        index
        for index, tensor in enumerate(graph.tensors)
        if flatbuffer.constant_bytes(model, tensor) is not None
        or _lies_behind(model.buffers[tensor.buffer])
        or tensor.externalBuffer
    }
    given = constants.union(integers(graph.inputs))
    # variables keep their values from run to run, and change where they are read
    variables = {i for i, tensor in enumerate(graph.tensors) if tensor.isVariable}
    # empty tensors need no values
    empty = {i for i, tensor in enumerate(graph.tensors) if 0 in integers(tensor.shape)}
    known = given | variables | empty
    for operator in graph.operators:
        code = flatbuffer.operator_of(model, operator)
        name = flatbuffer.operator_name(code)
        # only a float16 variable is written, with its first values
        may_not_write = () if code == schema.BuiltinOperator.DEQUANTIZE else variables
        for index in integers(operator.inputs):
            if index != _OPTIONAL and index not in known:
                yield f"{name} reads {called(graph.tensors[index])} before it is known"
        for index in integers(operator.outputs):
            if index in given or index in may_not_write:
                yield f"{name} writes {called(graph.tensors[index])}, which is given"
            given.add(index)
            known.add(index)
    for index in constants.intersection(integers(graph.inputs)):
        yield f"the input {called(graph.tensors[index])} has values"
    for index in integers(graph.outputs):
        if index not in known:
            yield f"no operator writes the output {called(graph.tensors[index])}"


def _signature_faults(model: Any) -> Iterator[str]:
    for signature in model.signatureDefs or []:
        if not 0 <= signature.subgraphIndex < len(model.subgraphs):
            yield f"a signature names subgraph {signature.subgraphIndex}"
            return
        count = len(model.subgraphs[signature.subgraphIndex].tensors)
        entries = (*(signature.inputs or []), *(signature.outputs or []))
        for entry in entries:
            if not 0 <= entry.tensorIndex < count:
                yield f"a signature names tensor {entry.tensorIndex} of {count}"
        for name in (signature.signatureKey, *(entry.name for entry in entries)):
            if not _is_text(name):
                yield f"a signature, or a tensor in it, has the name {str(name)[:80]}"


def _is_text(name: bytes | None) -> bool:
    try:
        (name or b"").decode()
    except UnicodeDecodeError:
        return False
    return name is not None


def _size_fault(model: Any, file_bytes: int) -> Iterator[str]:
    """Yields if the weights, restored, are out of proportion to the file."""
    most = _FREE_WEIGHT_BYTES + _MOST_WEIGHT_BYTES_PER_FILE_BYTE * file_bytes
    most = min(most, _MOST_WEIGHT_BYTES)
    total = sum(
        math.prod(integers(tensor.shape)) * flatbuffer.FLOATS[tensor.type].itemsize
        for graph in model.subgraphs
        for tensor in graph.tensors
        if flatbuffer.constant(model, tensor) is not None
    )
    if total > most:
        yield f"its weights take {total} bytes, expected {most} at most"
