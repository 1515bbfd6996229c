import struct
import zlib

import numpy as np
import pytest

from tfmot_onexn.tvm.plan_file import encode, seal
from tfmot_onexn.tvm.plan_program import Call, Port, Program


def chain(length):
    """A program of kernels that each read what the one before wrote, and a constant."""
    program = Program()
    last = program.add((16, 16), "float32")
    program.inputs.append(Port("x", last))
    for _ in range(length):
        constant = program.add((3,), "float32", np.ones(3, np.float32))
        result = program.add((16, 16), "float32")
        program.calls.append(Call("step", (last, constant, result), 1))
        last = result
    program.outputs.append(Port("y", last))
    return program


def test_the_header_holds_sizes_and_checksums():
    files = encode(chain(3), 77)
    assert files.plan[:8] == b"1xNplan\0"
    version, checksum, size, weights, arena, of_weights, kernels, *counts = (
        struct.unpack_from("<IIQQQIIIIII", files.plan, 8)
    )
    assert version == 1
    assert checksum == zlib.crc32(files.plan[16:])
    assert size == len(files.plan)
    assert (weights, of_weights) == (len(files.weights), zlib.crc32(files.weights))
    assert (arena, kernels) == (files.arena, 77)
    assert counts == [7, 3, 1, 1]


def test_equal_constants_are_stored_once():
    assert len(encode(chain(5), 0).weights) == 64


def test_memory_is_used_again_but_not_that_of_inputs_and_outputs():
    # the input, what is read and what is written, the output at last
    assert encode(chain(1), 0).arena == 2 * 1024
    assert encode(chain(2), 0).arena == 3 * 1024
    assert encode(chain(9), 0).arena == 3 * 1024


def test_a_result_that_is_needed_later_keeps_its_place():
    program = chain(4)
    first = program.calls[0].tensors[-1]
    before = encode(program, 0).arena
    program.outputs.append(Port("early", first))
    assert encode(program, 0).arena == before + 1024


def test_a_damaged_plan_can_be_sealed():
    plan = encode(chain(2), 0).plan
    assert seal(plan) == plan
    changed = plan[:50] + b"\1" + plan[51:]
    assert seal(changed)[16:] == changed[16:]
    assert seal(changed)[:16] != changed[:16]


@pytest.mark.parametrize("shape", [(0, 3), (1,) * 9])
def test_shapes_have_bounds(shape):
    program = Program()
    program.inputs.append(Port("x", program.add(shape, "float32")))
    with pytest.raises(ValueError, match=r"tensor of shape \[.*8 dimensions, none of"):
        encode(program, 0)
