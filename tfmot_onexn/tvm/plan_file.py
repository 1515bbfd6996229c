"""Encodes ``plan.bin``, as ``runner/plan_file.h`` describes it, and the weights."""

import dataclasses
import struct
import zlib

import numpy as np

from tfmot_onexn.tvm.memory_plan import Lifetime, aligned, place
from tfmot_onexn.tvm.plan_program import Program, Tensor

VERSION = 1
MAGIC = b"1xNplan\0"
# where the checksum of the rest begins
CHECKED = 16
_ARENA, _WEIGHTS = 0, 1
_MOST_DIMENSIONS = 8
# as DLPack counts them
_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}


@dataclasses.dataclass(frozen=True)
class PlanFiles:
    """What the runner reads.

    Attributes:
      plan: of ``plan.bin``.
      weights: of ``weights.bin``.
      arena: bytes that a run needs beside the weights.
    """

    plan: bytes
    weights: bytes
    arena: int


def encode(program: Program, kernels: int) -> PlanFiles:
    """Writes a program down.

    Args:
      program: the network. Its kernels are numbered as ``program.kernels``.
      kernels: a checksum of the kernels, which the runner compares with its own.
    """
    constants, weights = _weights(program)
    results, arena = _arena(program)
    body = b"".join(
        (
            *(_tensor(tensor, constants, results) for tensor in program.tensors),
            *_calls(program),
            *(_port(port.name, port.tensor) for port in program.inputs),
            *(_port(port.name, port.tensor) for port in program.outputs),
        )
    )
    checked = struct.pack(
        "<QQQIIIIII",
        64 + len(body),
        len(weights),
        arena,
        zlib.crc32(weights),
        kernels,
        len(program.tensors),
        len(program.calls),
        len(program.inputs),
        len(program.outputs),
    )
    return PlanFiles(seal(MAGIC + bytes(8) + checked + body), weights, arena)


def seal(plan: bytes) -> bytes:
    """Returns a plan with its version and checksum."""
    head = struct.pack("<II", VERSION, zlib.crc32(plan[CHECKED:]))
    return MAGIC + head + plan[CHECKED:]


def _weights(program: Program) -> tuple[dict[int, int], bytes]:
    """Returns the offset of each constant, and all of them; equal ones once."""
    offsets: dict[int, int] = {}
    known: dict[bytes, int] = {}
    parts: list[bytes] = []
    end = 0
    for index, content in enumerate(program.buffers):
        if content is None:
            continue
        raw = np.ascontiguousarray(content).tobytes()
        if raw not in known:
            known[raw] = end
            parts.append(raw.ljust(aligned(len(raw)), b"\0"))
            end += len(parts[-1])
        offsets[index] = known[raw]
    return offsets, b"".join(parts)


def _arena(program: Program) -> tuple[dict[int, int], int]:
    """Returns the offset of each buffer that is written, and the size of all."""
    end = len(program.calls)
    size: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for tensor in program.tensors:
        size[tensor.buffer] = tensor.size
    for step, call in enumerate(program.calls):
        for index in call.tensors:
            buffer = program.tensors[index].buffer
            first.setdefault(buffer, step)
            last[buffer] = step
    # the caller's: their content stays between runs
    for port in program.inputs:
        buffer = program.tensors[port.tensor].buffer
        first[buffer], last[buffer] = -1, end
    for port in program.outputs:
        buffer = program.tensors[port.tensor].buffer
        first.setdefault(buffer, -1)
        last[buffer] = end
    written = [index for index in first if program.buffers[index] is None]
    offsets, whole = place([Lifetime(size[i], first[i], last[i]) for i in written])
    return dict(zip(written, offsets, strict=True)), whole


def _tensor(
    tensor: Tensor, constants: dict[int, int], results: dict[int, int]
) -> bytes:
    if len(tensor.shape) > _MOST_DIMENSIONS or 0 in tensor.shape:
        raise ValueError(
            f"A plan cannot have a tensor of shape {list(tensor.shape)}: it takes up "
            f"to {_MOST_DIMENSIONS} dimensions, none of them 0."
        )
    dtype = np.dtype(tensor.dtype)
    constant = tensor.buffer in constants
    offset = (constants if constant else results)[tensor.buffer]
    return struct.pack(
        f"<IIIIQ{len(tensor.shape)}Q",
        _WEIGHTS if constant else _ARENA,
        _CODES[dtype.kind],
        8 * dtype.itemsize,
        len(tensor.shape),
        offset,
        *tensor.shape,
    )


def _calls(program: Program) -> list[bytes]:
    numbers = {name: index for index, name in enumerate(program.kernels)}
    return [
        struct.pack(
            f"<III{len(call.tensors)}I",
            numbers[call.kernel],
            call.outputs,
            len(call.tensors),
            *call.tensors,
        )
        for call in program.calls
    ]


def _port(name: str, tensor: int) -> bytes:
    raw = name.encode()
    return struct.pack("<II", tensor, len(raw)) + raw
