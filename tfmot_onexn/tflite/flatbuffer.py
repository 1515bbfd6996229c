"""Reads and writes `.tflite` files through the schema that LiteRT ships."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import verifier

_IDENTIFIER = b"TFL3"
# the schema demands 16 of Buffer.data; in a cache line of its own, a block of 16 values
# is one load for a runtime that maps the file
_BUFFER_ALIGNMENT = 64
# what the schema demands of the sparse index vectors
_INDEX_ALIGNMENT = 4


def read(content: bytes, name: str = "the model") -> Any:
    """Unpacks a `.tflite` file into the schema's ``ModelT``.

    Vectors of integers that the file leaves out come out empty. What the tables refer
    to by number is not checked; see `validation`.

    Args:
      content: the file's bytes.
      name: what error messages call it.

    Raises:
      ValueError: if it is no `.tflite` file, or a damaged one.
    """
    if content[4:8] != _IDENTIFIER:
        raise ValueError(
            f"{name} is not a .tflite file: it lacks the identifier TFL3. Convert a "
            "Keras model with `onexn convert`."
        )
    try:
        verifier.verify(content)
        model = schema.ModelT.InitFromPackedBuf(content, 0)
        _require_vectors(model)
    except ValueError as error:
        raise ValueError(
            f"{name} is damaged or truncated ({error}). Convert or copy it again."
        ) from error
    return model


def _require_vectors(model: Any) -> None:
    """Refuses a model without its main vectors; makes others empty that it lacks."""
    if not model.subgraphs or not model.buffers or model.operatorCodes is None:
        raise ValueError("it has no subgraphs, buffers or operator codes")
    for graph in model.subgraphs:
        if graph.tensors is None or graph.operators is None:
            raise ValueError("a subgraph has no tensors or operators")
        _fill(graph, "inputs", "outputs")
        for operator in graph.operators:
            _fill(operator, "inputs", "outputs")
        for tensor in graph.tensors:
            _fill(tensor, "shape")
            if tensor.sparsity is not None:
                _fill(tensor.sparsity, "traversalOrder", "blockMap")
                tensor.sparsity.dimMetadata = tensor.sparsity.dimMetadata or []


def _fill(table: Any, *names: str) -> None:
    for name in names:
        if getattr(table, name) is None:
            setattr(table, name, np.empty(0, np.int32))


def read_file(path: str | os.PathLike) -> Any:
    """Unpacks a `.tflite` file; see `read`.

    Raises:
      ValueError: if the file is missing, no `.tflite` file, or damaged.
    """
    return read(read_bytes(path), str(path))


def is_tflite(path: str | os.PathLike) -> bool:
    """Whether a path is to be taken for a `.tflite`, by its name or its content."""
    path = pathlib.Path(path)
    if path.suffix == ".tflite":
        return True
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == _IDENTIFIER
    except OSError:
        return False


def read_bytes(path: str | os.PathLike) -> bytes:
    """Returns a file's content.

    Raises:
      ValueError: if it cannot be read.
    """
    try:
        return pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from error


def write(model: Any) -> bytes:
    """Packs a ``ModelT``, its buffers and index vectors aligned as the schema demands.

    The schema's Python classes drop alignment, which runtimes that map the file into
    memory rely on.
    """
    model.buffers = [_AlignedBuffer(b.data, b.offset, b.size) for b in model.buffers]
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.sparsity is not None:
                for level in tensor.sparsity.dimMetadata:
                    level.arraySegments = _aligned_index(level.arraySegments)
                    level.arrayIndices = _aligned_index(level.arrayIndices)
    size = sum(0 if b.data is None else len(b.data) for b in model.buffers)
    builder = flatbuffers.Builder(size + size // 8 + 65536)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(memoryview(builder.Bytes)[builder.Head() :])


def builtin_code(operator_code: Any) -> int:
    """Returns the operator an ``OperatorCodeT`` names, in old files and new ones."""
    return max(operator_code.builtinCode, operator_code.deprecatedBuiltinCode)


def operator_of(model: Any, operator: Any) -> int:
    """Returns which ``BuiltinOperator`` an ``OperatorT`` is."""
    return builtin_code(model.operatorCodes[operator.opcodeIndex])


def operator_name(code: int) -> str:
    """Returns a ``BuiltinOperator`` as the schema spells it."""
    return _OPERATOR_NAMES.get(code, f"operator {code}")


def constant_bytes(model: Any, tensor: Any) -> np.ndarray | None:
    """Returns what a file stores for a tensor, or None if that is nothing."""
    data = model.buffers[tensor.buffer].data
    return None if data is None or not len(data) else np.asarray(data, np.uint8)


def constant(model: Any, tensor: Any) -> np.ndarray | None:
    """Returns a float tensor's stored values, flat, or None if it has none."""
    data = constant_bytes(model, tensor)
    if data is None or tensor.type not in FLOATS:
        return None
    return data.view(FLOATS[tensor.type])


def integers(vector: Any) -> list[int]:
    """Returns a vector of integers, which a file may leave out, as a list."""
    return [] if vector is None else np.asarray(vector).tolist()


def tensor_name(tensor: Any) -> str:
    """Returns a tensor's name as text."""
    return (tensor.name or b"").decode(errors="replace")


def called(tensor: Any) -> str:
    """Returns what error messages call a tensor."""
    name = tensor_name(tensor)
    return f"tensor {name if len(name) <= _LONGEST else name[:_LONGEST] + '…'!r}"


def listed(items: Sequence[int]) -> str:
    """Returns what error messages show of a list, which a damaged file may bloat."""
    if len(items) <= _MOST_LISTED:
        return str(list(items))
    return f"{list(items[:_MOST_LISTED])} and {len(items) - _MOST_LISTED} more"


def to_kernel(weights_oi: np.ndarray) -> np.ndarray:
    """Returns ``[kh, kw, in, out]`` from TFLite's ``[O, kh, kw, I]``, or the like."""
    return np.moveaxis(weights_oi, 0, -1)


def kernel_reader(model: Any, graph: Any, operator: Any) -> tuple[Any, int]:
    """Returns the operator that reads a layer's stored kernel, and at which input.

    That is the layer, or the DEQUANTIZE before it where a file stores float16.
    """
    kernel = int(operator.inputs[_KERNEL_INPUT])
    for other in graph.operators:
        if kernel in (int(tensor) for tensor in other.outputs):
            if operator_of(model, other) == schema.BuiltinOperator.DEQUANTIZE:
                return other, 0
            break
    return operator, _KERNEL_INPUT


FLOATS: dict[int, np.dtype] = {
    schema.TensorType.FLOAT32: np.dtype(np.float32),
    schema.TensorType.FLOAT16: np.dtype(np.float16),
}
# layers whose kernels can be stored sparse
KERNEL_LAYERS = {
    schema.BuiltinOperator.CONV_2D: "CONV_2D",
    schema.BuiltinOperator.FULLY_CONNECTED: "FULLY_CONNECTED",
}
_KERNEL_INPUT = 1
# of names and lists in error messages
_LONGEST = 200
_MOST_LISTED = 12
_OPERATOR_NAMES = {
    code: name
    for name, code in vars(schema.BuiltinOperator).items()
    if isinstance(code, int)
}


def _vector(builder: flatbuffers.Builder, values: np.ndarray, alignment: int) -> int:
    values = np.ascontiguousarray(values)
    builder.StartVector(values.itemsize, values.size, max(alignment, values.itemsize))
    raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    builder.head -= len(raw)
    builder.Bytes[builder.head : builder.head + len(raw)] = raw
    return builder.EndVector()


class _AlignedBuffer(schema.BufferT):
    def Pack(self, builder):  # noqa: N802 (the schema's name)
        data = None
        if self.data is not None and len(self.data):
            data = _vector(builder, np.asarray(self.data, np.uint8), _BUFFER_ALIGNMENT)
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        schema.BufferAddOffset(builder, self.offset)
        schema.BufferAddSize(builder, self.size)
        return schema.BufferEnd(builder)


def _aligned_index_class(base: type, dtype: type, prefix: str) -> type:
    start = getattr(schema, f"{prefix}Start")
    add = getattr(schema, f"{prefix}AddValues")
    end = getattr(schema, f"{prefix}End")

    def pack(self, builder):
        values = _vector(builder, np.asarray(self.values, dtype), _INDEX_ALIGNMENT)
        start(builder)
        add(builder, values)
        return end(builder)

    return type(f"_Aligned{prefix}", (base,), {"Pack": pack})


_ALIGNED_INDEX = {
    schema.Uint8VectorT: _aligned_index_class(
        schema.Uint8VectorT, np.uint8, "Uint8Vector"
    ),
    schema.Uint16VectorT: _aligned_index_class(
        schema.Uint16VectorT, np.uint16, "Uint16Vector"
    ),
    schema.Int32VectorT: _aligned_index_class(
        schema.Int32VectorT, np.int32, "Int32Vector"
    ),
}


def _aligned_index(vector: Any) -> Any:
    kind = _ALIGNED_INDEX.get(type(vector))
    return kind(vector.values) if kind else vector
