"""A few words on top of TVM's builder: functions on flat buffers, vectors, sums."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from tvm.script.ir_builder import IRBuilder
from tvm.tirx import PrimFunc
from tvm.tirx.op import address_of, call_llvm_intrin
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.tiles import LINE

# name -> shape and dtype of each parameter, outputs last
Parameters: TypeAlias = Mapping[str, tuple[Sequence[int], str]]
Value: TypeAlias = Any
Buffer: TypeAlias = Any

# floats of a page of memory
_PAGE = 1024
# from 1024 bytes on, TVM takes a buffer from the heap instead of registers
_LARGEST_SUM = 252


def function(name: str, parameters: Parameters, body: Callable[..., None]) -> PrimFunc:
    """Builds a function that Relax can call.

    Args:
      name: of the function.
      parameters: see `Parameters`.
      body: gets each parameter, as a flat buffer, by its name, and emits statements.
    """
    with IRBuilder() as builder, tir.prim_func(s_tir=True):
        tir.func_name(name)
        buffers = {
            key: tir.arg(key, tir.buffer(tuple(shape), dtype))
            for key, (shape, dtype) in parameters.items()
        }
        # 8: opaque, so that Relax does not fuse it with anything
        tir.func_attr({"tirx.noalias": True, "op_pattern": 8})
        with tir.sblock("root"):
            tir.reads()
            tir.writes()
            flat = {
                key: tir.decl_buffer((math.prod(shape),), dtype, data=buffers[key].data)
                for key, (shape, dtype) in parameters.items()
            }
            body(**flat)
    return builder.get()


def load(buffer: Buffer, offset: Value, lanes: int) -> Value:
    """Returns lanes next to each other, a scalar for one."""
    return buffer[offset] if lanes == 1 else buffer[tir.ramp(offset, 1, lanes)]


def store(buffer: Buffer, offset: Value, value: Value, lanes: int) -> None:
    """Writes lanes next to each other."""
    index = offset if lanes == 1 else tir.ramp(offset, 1, lanes)
    tir.buffer_store(buffer, value, [index])


def copy(source: Buffer, first: Value, target: Buffer, at: Value, size: int) -> None:
    """Emits a copy of floats that lie next to each other."""
    done = 0
    for lanes in (LINE, 1):
        count = (size - done) // lanes
        if count:
            with tir.serial(0, count) as i:
                moved = done + i * lanes
                store(target, at + moved, load(source, first + moved, lanes), lanes)
        done += count * lanes


def prefetch(buffer: Buffer, offset: Value) -> None:
    """Asks for what will be read a page later.

    Processors do not fetch ahead into the next page by themselves; weights, which are
    read once for each image, would be waited for.
    """
    address = address_of(buffer[offset + _PAGE])
    # to be read, into the nearest cache, as data
    hints = (tir.int32(hint) for hint in (0, 3, 1))
    tir.evaluate(call_llvm_intrin("void", "llvm.prefetch", address, *hints))


def spread(value: Value, lanes: int) -> Value:
    """Returns a scalar in all lanes."""
    return value if lanes == 1 else tir.broadcast(value, lanes)


def number(value: float, lanes: int) -> Value:
    """Returns a constant in all lanes."""
    return spread(tir.float32(value), lanes)


def registers(count: int, lanes: int) -> list[Buffer]:
    """Returns vectors that LLVM keeps in registers as long as there are enough."""
    if lanes > _LARGEST_SUM:
        raise ValueError(f"A vector of {lanes} lanes would not stay in registers.")
    return [tir.alloc_buffer((lanes,), "float32", scope="global") for _ in range(count)]


def kept(*values: Value) -> list[Value]:
    """Emits stores of whole numbers and returns what reads them.

    TVM's analyses see no way through the expressions, and may fail on them.
    """
    buffer = tir.alloc_buffer((len(values),), "int32", scope="global")
    for i, value in enumerate(values):
        tir.buffer_store(buffer, value, [i])
    return [buffer[i] for i in range(len(values))]


def parts(total: int, most: int) -> tuple[int, int, int]:
    """Divides evenly into parts of at most so many.

    Returns:
      The size of a part, how many there are of it, and what is left, which is less.
    """
    if total <= 0:
        return 1, 0, 0
    size = -(-total // -(-total // most))
    return size, total // size, total % size


def each_part(
    total: int,
    most: int,
    emit: Callable[[Value, int], None],
    loop: Callable[..., Any],
) -> None:
    """Emits a loop over parts, `emit(first, count)`, and the part that is left."""
    size, count, left = parts(total, most)
    if count == 1:
        emit(0, size)
    elif count:
        with loop(0, count) as part:
            emit(part * size, size)
    if left:
        emit(count * size, left)
