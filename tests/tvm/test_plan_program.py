import numpy as np

from tfmot_onexn.tvm.plan_program import Call, Program


def test_views_share_a_buffer():
    program = Program()
    first = program.add((2, 3), "float32")
    second = program.view(program.tensors[first].buffer, (6,), "float32")
    constant = program.add((4,), "int64", np.arange(4))
    assert [tensor.size for tensor in program.tensors] == [24, 24, 32]
    assert program.tensors[second].buffer == program.tensors[first].buffer == 0
    assert program.buffers[program.tensors[constant].buffer].tolist() == [0, 1, 2, 3]
    assert program.buffers[0] is None


def test_kernels_are_listed_once_in_order():
    calls = [Call(name, (), 0) for name in "bab"]
    assert Program(calls=calls).kernels == ["b", "a"]
