import numpy as np
import tvm_kernels
from tvm.tirx.script.builder import ir

from tfmot_onexn.tvm.kernels import tir
from tfmot_onexn.tvm.kernels.arrays import Arrays, sparse_function
from tfmot_onexn.tvm.kernels.epilogue import Clip, Operand


def test_a_width_is_a_power_of_two_that_divides_n():
    for n, width in ((1, 1), (3, 1), (6, 2), (12, 4), (24, 8), (32, 16)):
        arrays = Arrays(None, None, None, None, None, [], None, 0, 0, n, ())
        assert arrays.width == width


class Twice:
    """Writes twice the bias everywhere, through the steps."""

    def function(self, name, tile):
        def body(arrays):
            with ir.serial(0, 6) as pixel, ir.serial(0, arrays.rows // 4) as row:
                value = tir.load(arrays.bias, row * 4, 4)
                arrays.finish(value + value, pixel, row * 4)

        steps = (Clip(0.0, 3.0), Operand("add"))
        return sparse_function(name, (1, 2, 3, 5), (1, 2, 3, 8), (2, 1, 4), steps, body)


def test_parameters_stand_in_order_and_steps_are_applied(rng):
    bias = rng.normal(size=8).astype(np.float32)
    other = rng.normal(size=(1, 2, 3, 8)).astype(np.float32)
    arguments = [
        np.zeros((1, 2, 3, 5), np.float32),
        np.zeros((2, 1, 4), np.float32),
        np.zeros(2, np.int32),
        np.zeros(3, np.int32),
        *(bias, other),
    ]
    found = tvm_kernels.run(Twice(), None, arguments, (1, 2, 3, 8))
    tvm_kernels.assert_close(found, np.clip(2 * bias, 0, 3) + other)
