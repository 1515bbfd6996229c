"""Mutated `.tflite` files: of bytes, of a FlatBuffer's structure, of what it means."""

import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, verifier

_IDENTIFIED = 8  # bytes of the root's offset and the identifier
_INTERESTING = (0, 1, 2, 3, 4, 5, 7, 8, 16, 127, 128, 255, 256, 32767, 32768, 65535)
_INTERESTING += (65536, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1)
_INT32 = (-(2**31), -65536, -2, -1, 0, 1, 2, 3, 4, 5, 8, 100, 4096, 46341, 65536)
_INT32 += (2**24, 2**30, 2**31 - 1)


def mutant(seeds: dict[str, bytes], seed: int, index: int) -> tuple[str, bytes]:
    """Returns the kind and the content of one mutated file, the same at each call.

    Args:
      seeds: the files to start from, by name.
      seed: of the whole series.
      index: of this file in it.
    """
    rng = random.Random(f"{seed}:{index}")
    kind = rng.choice(tuple(KINDS))
    content = rng.choice(tuple(seeds.values()))
    mutated = KINDS[kind](rng, content, seeds)
    if kind in MEANINGFUL and rng.random() < 0.2:
        mutated = _flip(rng, mutated, seeds)
    return kind, mutated


def _flip(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
    mutated = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        place = rng.randrange(_start(rng), len(mutated))
        mutated[place] = rng.choice((mutated[place] ^ 1 << rng.randrange(8), 0, 255))
    return bytes(mutated)


def _start(rng: random.Random) -> int:
    """Most mutations spare the identifier, behind which there is more to test."""
    return 0 if rng.random() < 0.02 else _IDENTIFIED


def _truncate(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
    size = rng.randrange(len(content))
    if rng.random() < 0.5:
        return content[:size]
    # a hole in the middle moves all that follows
    return content[:size] + content[size + rng.choice((1, 2, 4, 8, 64)) :]


def _splice(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
    other = rng.choice(tuple(seeds.values()))
    if rng.random() < 0.5:
        place = rng.randrange(_start(rng), min(len(content), len(other)))
        return content[:place] + other[place:]
    size = rng.choice((4, 8, 32, 128, 512))
    source = rng.randrange(0, len(other), 4)
    target = rng.randrange(_IDENTIFIED, len(content), 4)
    piece = other[source : source + size]
    return content[:target] + piece + content[target + len(piece) :]


def _integer(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
    mutated = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place = rng.randrange(_IDENTIFIED, len(content) - 4, 4)
        value = rng.choice((*_INTERESTING, len(content), len(content) - place))
        struct.pack_into("<I", mutated, place, value)
    return bytes(mutated)


def _structure(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
    """Overwrites offsets, lengths, lists of fields, and scalars where they lie."""
    mutated = bytearray(content)
    places = _places(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        place, width = rng.choice(places)
        largest = 256**width - 1
        old = int.from_bytes(content[place : place + width], "little")
        near = (old + rng.choice((-8, -4, -2, -1, 1, 2, 4, 8))) % (largest + 1)
        if width == 4 and rng.random() < 0.2:
            # lead to where another offset leads
            other = rng.choice(places)[0]
            near = (other - place) % (largest + 1)
        value = rng.choice((near, near, rng.choice(_INTERESTING) & largest))
        mutated[place : place + width] = value.to_bytes(width, "little")
    return bytes(mutated)


_PLACES: dict[bytes, list[tuple[int, int]]] = {}


def _places(content: bytes) -> list[tuple[int, int]]:
    """Returns where a sound file has integers that shape it, and their widths."""
    if content not in _PLACES:
        found = {(0, 4)}
        _visit_table(content, _offset(content, 0), schema.Model, found)
        _PLACES[content] = sorted(found)
    return _PLACES[content]


def _offset(content: bytes, at: int) -> int:
    return at + struct.unpack_from("<I", content, at)[0]


def _visit_table(content: bytes, at: int, kind: type, found: set) -> None:
    found.add((at, 4))
    vtable = at - struct.unpack_from("<i", content, at)[0]
    (size,) = struct.unpack_from("<H", content, vtable)
    slots = struct.unpack_from(f"<{size // 2}H", content, vtable)[2:]
    found.update((vtable + 2 * i, 2) for i in range(size // 2))
    fields = verifier.layout(kind)
    for index, (field, slot) in enumerate(zip(fields, slots, strict=False)):
        if field is None or not slot:
            continue
        found.add((at + slot, field.width if field.kind.name == "SCALAR" else 4))
        if field.kind is verifier.Kind.SCALAR:
            continue
        target = _offset(content, at + slot)
        if field.kind is verifier.Kind.TABLE:
            _visit_table(content, target, field.table, found)
        elif field.kind is verifier.Kind.UNION:
            number = content[at + slots[index - 1]]
            table = verifier.union_classes(field.table)[number]
            _visit_table(content, target, table, found)
        else:
            found.add((target, 4))
            if field.kind is verifier.Kind.TABLES:
                (count,) = struct.unpack_from("<I", content, target)
                for item in range(target + 4, target + 4 + 4 * count, 4):
                    found.add((item, 4))
                    _visit_table(content, _offset(content, item), field.table, found)


# how a change fails that the schema cannot write, or to what a model lacks
_IMPOSSIBLE = (
    AttributeError,
    IndexError,
    OverflowError,
    TypeError,
    ValueError,
    struct.error,
)


def _meaning(change: Callable[[random.Random, Any], None]) -> Callable:
    """Returns a mutation of the unpacked model, packed again."""

    def mutate(rng: random.Random, content: bytes, seeds: dict[str, bytes]) -> bytes:
        for _ in range(20):
            model = flatbuffer.read(content)
            content = rng.choice(tuple(seeds.values()))
            try:
                for _ in range(rng.choice((1, 1, 1, 2, 3))):
                    change(rng, model)
                return flatbuffer.write(model)
            except _IMPOSSIBLE:
                continue
        return _flip(rng, content, seeds)

    return mutate


def _change_sparsity(rng: random.Random, model: Any) -> None:
    tensors = [t for g in model.subgraphs for t in g.tensors if t.sparsity is not None]
    tensor = rng.choice(tensors)
    sparsity = tensor.sparsity
    level = rng.choice(sparsity.dimMetadata)
    sparse = [at for at in sparsity.dimMetadata if at.arrayIndices is not None]
    change = rng.randrange(16)
    if change == 0:
        sparsity.traversalOrder = _changed(rng, sparsity.traversalOrder)
    elif change == 1:
        order = sparsity.traversalOrder.tolist()
        rng.shuffle(order)
        sparsity.traversalOrder = np.array(order, np.int32)
    elif change == 2:
        sparsity.blockMap = _changed(rng, sparsity.blockMap)
    elif change == 3:
        rng.shuffle(sparsity.dimMetadata)
    elif change == 4:
        sparsity.dimMetadata.remove(level)
    elif change == 5:
        sparsity.dimMetadata.append(level)
    elif change == 6:
        level.denseSize = rng.choice((*_INT32, 2 * level.denseSize))
    elif change == 7:
        level.format = rng.choice((0, 1, 2, -1, 127))
    elif change in (8, 9):
        vector = rng.choice(sparse).arraySegments
        vector.values = _changed(rng, vector.values)
    elif change in (10, 11):
        vector = rng.choice(sparse).arrayIndices
        vector.values = _changed(rng, vector.values)
    elif change == 12:
        level = rng.choice(sparse)
        level.arrayIndices, level.arraySegments = level.arraySegments, None
    elif change == 13:
        # the same blocks in another axis, or the same sizes multiplied
        tensor.shape = tensor.shape * np.int32(rng.choice((2, 3, 1024)))
        for level in sparsity.dimMetadata:
            level.denseSize *= rng.choice((1, 1, 2, 3, 1024))
    elif change == 14:
        # move a factor from one axis to another, and the levels with it
        shape = tensor.shape.tolist()
        rng.shuffle(shape)
        tensor.shape = np.array(shape, np.int32)
        for level in sparsity.dimMetadata:
            if level.format == 0 and rng.random() < 0.5:
                level.denseSize = rng.choice(shape)
    else:
        _add_empty_level(rng, tensor)


def _add_empty_level(rng: random.Random, tensor: Any) -> None:
    """Adds an axis, so that many levels or huge dense sizes multiply."""
    rank = len(tensor.shape)
    size = rng.choice((1, 1, 2, 2**16, 2**31 - 1))
    level = schema.DimensionMetadataT()
    level.denseSize = size
    sparsity = tensor.sparsity
    sparsity.dimMetadata.append(level)
    order = [axis + (axis >= rank) for axis in sparsity.traversalOrder.tolist()]
    sparsity.traversalOrder = np.array([*order, rank], np.int32)
    tensor.shape = np.array([*tensor.shape, size], np.int32)


def _change_graph(rng: random.Random, model: Any) -> None:
    graph = rng.choice(model.subgraphs)
    operator = rng.choice(graph.operators)
    change = rng.randrange(13)
    if change in (0, 1):
        operator.inputs = _changed(rng, operator.inputs, len(graph.tensors))
    elif change == 2:
        operator.outputs = _changed(rng, operator.outputs, len(graph.tensors))
    elif change == 3:
        operator.opcodeIndex = rng.choice((0, 1, 2, len(model.operatorCodes), 2**31))
    elif change == 4:
        code = rng.choice(model.operatorCodes)
        code.builtinCode = rng.choice((rng.randrange(210), *_INT32))
        code.deprecatedBuiltinCode = min(max(code.builtinCode, 0), 127)
    elif change == 5:
        rng.shuffle(graph.operators)
    elif change == 6:
        graph.operators.append(operator)
    elif change == 7:
        graph.operators.remove(operator)
    elif change == 8:
        graph.inputs = _changed(rng, graph.inputs, len(graph.tensors))
    elif change == 9:
        graph.outputs = _changed(rng, graph.outputs, len(graph.tensors))
    elif change == 10:
        # the kernel's way round DENSIFY or DEQUANTIZE, or into it
        other = rng.choice(graph.operators)
        inputs = operator.inputs.copy()
        inputs[rng.randrange(len(inputs))] = other.inputs[0]
        operator.inputs = inputs
    elif change == 11:
        signature = rng.choice(model.signatureDefs)
        signature.subgraphIndex = rng.choice((0, 1, 2, 2**31))
        entry = rng.choice(signature.inputs + signature.outputs)
        entry.tensorIndex = rng.choice((0, 3, 99, 2**32 - 1))
    else:
        _change_options(rng, operator)


def _change_options(rng: random.Random, operator: Any) -> None:
    options = operator.builtinOptions
    name = rng.choice(tuple(vars(options)))
    old = getattr(options, name)
    if isinstance(old, bool):
        setattr(options, name, not old)
    else:
        setattr(options, name, rng.choice((*_INT32[2:-5], old + 1)))


def _change_tensor(rng: random.Random, model: Any) -> None:
    graph = rng.choice(model.subgraphs)
    tensor = rng.choice(graph.tensors)
    change = rng.randrange(12)
    if change in (0, 1, 2):
        tensor.shape = _changed(rng, tensor.shape)
    elif change == 3:
        shape = tensor.shape.tolist()
        rng.shuffle(shape)
        tensor.shape = np.array(shape, np.int32)
    elif change == 4:
        tensor.type = rng.choice((0, 1, 2, 3, 5, 9, 10, 11, 17, 18, 127))
    elif change == 5:
        tensor.buffer = rng.choice((0, 1, len(model.buffers), 2**32 - 1))
    elif change in (6, 7):
        buffer = model.buffers[tensor.buffer]
        size = rng.choice((0, 1, 3, 16, len(buffer.data) - 4, len(buffer.data) + 4))
        buffer.data = np.resize(buffer.data, max(size, 0))
    elif change == 8:
        other = rng.choice(graph.tensors)
        tensor.sparsity = other.sparsity
    elif change == 9:
        buffer = rng.choice(model.buffers)
        buffer.offset = rng.choice((0, 1, 2, 48, 2**32, 2**64 - 1))
        buffer.size = rng.choice((0, 1, 64, 2**32, 2**64 - 1))
    elif change == 10:
        tensor.isVariable = not tensor.isVariable
    else:
        tensor.quantization.scale = np.array([rng.choice((0.0, 1.0, -1.0))] * 3, "f")
        tensor.quantization.quantizedDimension = rng.choice(_INT32)


def _changed(rng: random.Random, values: np.ndarray, count: int = 0) -> np.ndarray:
    """Returns a vector with an item replaced, added, removed, doubled or swapped."""
    items = values.tolist()
    limits = np.iinfo(values.dtype)
    new = rng.choice((*_INT32, *range(count), count, len(items)))
    new = min(max(new, limits.min), limits.max)
    place = rng.randrange(len(items) + 1)
    change = rng.randrange(6)
    if change == 0 or not items:
        items.insert(place, new)
    elif change == 1:
        items.pop(place - 1)
    elif change == 2:
        other = rng.randrange(len(items))
        items[place - 1], items[other] = items[other], items[place - 1]
    elif change == 3:
        items[place - 1] = items[rng.randrange(len(items))]
    elif change == 4:
        nearby = items[place - 1] + rng.choice((-1, 1))
        items[place - 1] = min(max(nearby, limits.min), limits.max)
    else:
        items[place - 1] = new
    return np.array(items, values.dtype)


KINDS: dict[str, Callable[[random.Random, bytes, dict[str, bytes]], bytes]] = {
    "flip": _flip,
    "truncate": _truncate,
    "splice": _splice,
    "integer": _integer,
    "structure": _structure,
    "sparsity": _meaning(_change_sparsity),
    "graph": _meaning(_change_graph),
    "tensor": _meaning(_change_tensor),
}
MEANINGFUL = ("sparsity", "graph", "tensor")
