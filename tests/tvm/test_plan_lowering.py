import numpy as np
import pytest
import relax_modules
import tvm
from relax_modules import FLOAT32, tensor
from tvm import relax, tirx

from tfmot_onexn.tvm.plan_lowering import lower


def module(body, *shape, kind=None):
    """Returns a network of one input; ``body(builder, x)`` emits its result."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", kind or tensor(*shape))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(body(builder, x))
        builder.emit_func_output(result)
    return builder.get()


def test_calls_are_in_order_with_what_they_read_and_write():
    program, kernels = lower(relax_modules.network().module)
    assert [call.kernel for call in program.calls] == program.kernels
    assert program.kernels == ["product", "turned", "add", "gather"]
    assert {one.name_hint for one in kernels.get_global_vars()} == {*program.kernels}
    product, turned, add, gather = program.calls
    assert all(call.outputs == 1 for call in program.calls)
    assert turned.tensors[0] == product.tensors[-1]
    assert add.tensors[:2] == (product.tensors[-1], turned.tensors[-1])
    buffers = [program.tensors[index].buffer for index in gather.tensors]
    assert buffers[0] == program.tensors[add.tensors[-1]].buffer
    assert program.buffers[buffers[1]].dtype == np.int32


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        (lambda x: relax.op.reshape(x, (3, 8)), (3, 8)),
        (lambda x: relax.op.flatten(x), (24,)),
        (lambda x: relax.op.expand_dims(x, [0, 2]), (1, 4, 1, 6)),
        (lambda x: relax.op.squeeze(relax.op.expand_dims(x, 0)), (4, 6)),
    ],
)
def test_a_change_of_shape_is_a_view(change, shape):
    program, _ = lower(module(lambda builder, x: builder.emit(change(x)), 4, 6))
    assert program.calls == []
    assert program.tensors[program.outputs[0].tensor].shape == shape
    assert len(program.buffers) == 1


def test_several_results_have_numbers():
    program, _ = lower(relax_modules.several().module)
    assert [port.name for port in program.inputs] == ["a", "b"]
    assert [port.name for port in program.outputs] == [
        f"output_{index}" for index in range(4)
    ]
    (split,) = (call for call in program.calls if call.kernel == "split")
    assert split.outputs == 2
    # the third is the first input, seen once more
    assert program.outputs[2].tensor == program.inputs[0].tensor


def test_what_nobody_reads_is_not_computed():
    def body(builder, x):
        builder.emit(relax.op.add(x, x))
        return relax.op.multiply(x, x)

    assert lower(module(body, 2, 3))[0].kernels == ["multiply"]


def test_shapes_must_be_known():
    batch = tirx.Var("batch", "int64")
    dynamic = relax.TensorType((batch, 3), FLOAT32)
    with pytest.raises(ValueError, match=r"x is .*batch.* a plan needs shapes"):
        lower(module(lambda builder, x: relax.op.add(x, x), kind=dynamic))
    with pytest.raises(ValueError, match="a plan needs shapes that are known"):
        lower(
            module(lambda builder, x: builder.match_cast(x, tensor(2, 3)), kind=dynamic)
        )


def test_inputs_must_be_tensors():
    pair = tvm.ir.TupleType([tensor(2), tensor(2)])
    with pytest.raises(ValueError, match=r"x is .*; a plan takes and gives tensors"):
        lower(module(lambda builder, x: relax.TupleGetItem(x, 0), kind=pair))


def test_what_is_no_kernel_is_named():
    def body(builder, x):
        return relax.call_dps_packed("some.function", [x], tensor(2, 3))

    with pytest.raises(ValueError, match=r"call_dps_packed is no kernel, .*format=.vm"):
        lower(module(body, 2, 3))


def test_a_tuple_in_a_tuple_is_refused():
    def body(builder, x):
        return relax.Tuple([relax.Tuple([x, x]), x])

    with pytest.raises(ValueError, match="a tuple in a tuple"):
        lower(module(body, 2))


def test_control_flow_is_refused():
    builder = relax.BlockBuilder()
    x = relax.Var("x", tensor(2))
    flag = relax.Var("flag", relax.TensorType((), "bool"))
    with builder.function("main", [x, flag]):
        chosen = builder.emit(relax.If(flag, x, x))
        builder.emit_func_output(chosen)
    with pytest.raises(ValueError, match="a plan cannot have a If here"):
        lower(builder.get())


def test_a_module_needs_a_main():
    with pytest.raises(ValueError, match='the function "main"; there is none'):
        lower(tvm.IRModule({}))
