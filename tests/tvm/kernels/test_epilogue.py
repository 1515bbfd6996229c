import numpy as np
import tvm_kernels

from tfmot_onexn.tvm.kernels import epilogue
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar
from tfmot_onexn.tvm.kernels.pointwise import Steps

SHAPE = (1, 2, 3, 8)
GATE = Operand("multiply", (1, 1, 1, 8))


def test_operands_are_parameters_in_order():
    steps = (Clip(0.0, 6.0), Operand("add"), Scalar("add", 1.0), GATE)
    assert epilogue.operands(steps) == [Operand("add"), GATE]
    assert epilogue.parameters(steps, SHAPE) == {
        "other0": (SHAPE, "float32"),
        "other1": ((1, 1, 1, 8), "float32"),
    }
    assert GATE.per_channel
    assert not Operand("add").per_channel


def test_steps_are_taken_in_order(rng):
    x = rng.normal(size=SHAPE).astype(np.float32) * 5
    for steps in (
        (HardSwish(), Scalar("add", -1.0)),
        (Scalar("add", -1.0), HardSwish()),
        (GATE, Clip(0.0, 1.0), Operand("multiply")),
        (Clip(0.0, float("inf")), Operand("add"), Operand("add", (8,))),
    ):
        others = tvm_kernels.others(rng, steps, SHAPE)
        kernel = Steps(SHAPE, steps)
        found = tvm_kernels.run(kernel, tvm_kernels.TILES["avx2"], [x, *others], SHAPE)
        tvm_kernels.assert_close(found, tvm_kernels.apply(x, steps, others))
