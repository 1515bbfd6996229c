"""1xN kernels as sparse tensors of the TFLite schema.

A convolution's kernel is stored as ``[O, kh, kw, I]``. As a sparse tensor its levels
are, in traversal order ``[0, 3, 1, 2, 4]`` with ``block_map [0]``:

    O/n dense, I sparse (CSR), kh dense, kw dense, n dense

so that the values are the BSR array ``data [nnz, kh*kw, n]``, the segments its
``indptr`` and the indices its ``indices``. A fully connected kernel ``[O, I]`` has the
levels O/n, I, n in the order ``[0, 1, 2]``. For n = 1 the last level and the block map
fall away. A `DENSIFY` operator before the layer restores the dense kernel in any
runtime that has no use for the sparse one.
"""

import collections
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.sparsity import bsr
from tfmot_onexn.tflite import flatbuffer, validation

# a sparse tensor adds a DENSIFY operator, a tensor and their tables to the file
_OVERHEAD_BYTES = 400


def encode(content: bytes, name: str = "the model") -> bytes:
    """Stores every kernel that gets smaller by it as a sparse tensor.

    n is found from the zeros, see `bsr.block_size`. Tensors that are sparse already
    stay as they are.

    Args:
      content: a `.tflite` file with float32 or float16 weights.
      name: what error messages call it.

    Returns:
      A `.tflite` file that computes the same, in any runtime that has `DENSIFY`.

    Raises:
      ValueError: if the file is damaged.
    """
    model = validation.validated(content, name)
    with np.errstate(invalid="ignore"):  # a file may hold what is no number
        encoded = [_encode_graph(model, graph) for graph in model.subgraphs]
    return flatbuffer.write(model) if any(encoded) else content


def block_to_store(kernel: np.ndarray) -> int | None:
    """Returns the n at which a kernel ``[..., in, out]`` is stored, None if dense."""
    nonzero = kernel != 0
    if nonzero.all() or not nonzero.any():
        return None
    n = bsr.block_size(kernel)
    smaller = bsr.encoded_bytes(kernel, n) + _OVERHEAD_BYTES < kernel.nbytes
    return n if smaller else None


def _encode_graph(model: Any, graph: Any) -> bool:
    """Encodes the kernels of one subgraph; returns whether there was any."""
    densified: dict[int, int] = {}
    operators = list(graph.operators)
    for index, readers in _kernel_readers(model, graph).items():
        if not _encode_tensor(model, graph.tensors[index]):
            continue
        densified[index] = _add_dense_twin(graph, graph.tensors[index])
        first = next(
            at for at, o in enumerate(operators) if any(o is r for r, _ in readers)
        )
        operators.insert(first, _densify(model, index, densified[index]))
        for reader, slot in readers:
            reader.inputs = np.array(reader.inputs, np.int32)
            reader.inputs[slot] = densified[index]
    graph.operators = operators
    return bool(densified)


def _kernel_readers(model: Any, graph: Any) -> dict[int, list[tuple[Any, int]]]:
    """Returns who reads each kernel, and at which input.

    A kernel that anything but a layer reads as well is left out.
    """
    uses = collections.Counter(int(t) for o in graph.operators for t in o.inputs)
    uses.update(int(t) for t in graph.outputs)
    readers: dict[int, list[tuple[Any, int]]] = {}
    for operator in graph.operators:
        if flatbuffer.operator_of(model, operator) in flatbuffer.KERNEL_LAYERS:
            reader, slot = flatbuffer.kernel_reader(model, graph, operator)
            of_kernel = readers.setdefault(int(reader.inputs[slot]), [])
            if not any(reader is known for known, _ in of_kernel):
                of_kernel.append((reader, slot))
    return {index: of for index, of in readers.items() if len(of) == uses[index]}


def _encode_tensor(model: Any, tensor: Any) -> bool:
    """Replaces a kernel tensor's values by sparse ones if that saves bytes."""
    if tensor.sparsity is not None or tensor.type not in flatbuffer.FLOATS:
        return False
    values = flatbuffer.constant(model, tensor)
    if values is None or len(tensor.shape) not in (2, 4):
        return False
    kernel = flatbuffer.to_kernel(values.reshape(tensor.shape))
    n = block_to_store(kernel)
    if n is None:
        return False
    encoded = bsr.encode(kernel, n)
    tensor.sparsity = _sparsity(tensor, encoded, n)
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(encoded.data.tobytes(), np.uint8)
    _release(model, tensor.buffer)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    return True


def _release(model: Any, index: int) -> None:
    """Empties a buffer that no second tensor shares."""
    users = sum(t.buffer == index for graph in model.subgraphs for t in graph.tensors)
    if users == 1:
        model.buffers[index].data = None


def _sparsity(tensor: Any, encoded: bsr.BSR, n: int) -> Any:
    out_channels, *window, in_channels = (int(size) for size in tensor.shape)
    rank = len(tensor.shape)
    levels = [
        _dense_level(out_channels // n),
        _sparse_level(encoded.indptr, encoded.indices, in_channels),
        *map(_dense_level, window),
    ]
    order = [0, rank - 1, *range(1, rank - 1)]
    if n > 1:
        levels.append(_dense_level(n))
        order.append(rank)
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = np.array(order, np.int32)
    sparsity.blockMap = np.array([0] if n > 1 else [], np.int32)
    sparsity.dimMetadata = levels
    return sparsity


def _dense_level(size: int) -> Any:
    level = schema.DimensionMetadataT()
    level.format = schema.DimensionType.DENSE
    level.denseSize = size
    return level


def _sparse_level(indptr: np.ndarray, indices: np.ndarray, in_channels: int) -> Any:
    level = schema.DimensionMetadataT()
    level.format = schema.DimensionType.SPARSE_CSR
    level.arraySegmentsType, level.arraySegments = _index(indptr, int(indptr[-1]))
    level.arrayIndicesType, level.arrayIndices = _index(indices, in_channels - 1)
    return level


_INDEX_VECTORS = {
    1: (schema.SparseIndexVector.Uint8Vector, schema.Uint8VectorT, np.uint8),
    2: (schema.SparseIndexVector.Uint16Vector, schema.Uint16VectorT, np.uint16),
    4: (schema.SparseIndexVector.Int32Vector, schema.Int32VectorT, np.int32),
}


def _index(values: np.ndarray, largest: int) -> tuple[int, Any]:
    union, kind, dtype = _INDEX_VECTORS[bsr.index_bytes(largest)]
    return union, kind(values.astype(dtype))


def _add_dense_twin(graph: Any, tensor: Any) -> int:
    twin = schema.TensorT()
    twin.name = (tensor.name or b"") + b"/densified"
    twin.shape = tensor.shape
    twin.type = tensor.type
    twin.hasRank = tensor.hasRank
    twin.buffer = 0
    graph.tensors.append(twin)
    return len(graph.tensors) - 1


def _densify(model: Any, source: int, target: int) -> Any:
    operator = schema.OperatorT()
    operator.opcodeIndex = _operator_code(model, schema.BuiltinOperator.DENSIFY)
    operator.inputs = np.array([source], np.int32)
    operator.outputs = np.array([target], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.DensifyOptions
    operator.builtinOptions = schema.DensifyOptionsT()
    return operator


def _operator_code(model: Any, builtin: int) -> int:
    for index, code in enumerate(model.operatorCodes):
        if flatbuffer.builtin_code(code) == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
