import numpy as np
import pytest
import tvm_kernels

from tfmot_onexn.tvm.kernels import dense
from tfmot_onexn.tvm.kernels.dense import Dense
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand


@pytest.mark.parametrize("tile", tvm_kernels.TILES)
@pytest.mark.parametrize("rows", [1, 7, 64, 100, 129])
@pytest.mark.parametrize("lead", [(1,), (1, 1, 1)])
def test_fully_connected_layers(lead, rows, tile, rng):
    steps = (Clip(-3.0, 6.0), Operand("add"), HardSwish())
    shape = (*lead, rows)
    x = rng.normal(size=(*lead, 33)).astype(np.float32)
    kernel = rng.normal(size=(33, rows)).astype(np.float32)
    bias = rng.normal(size=rows).astype(np.float32)
    others = tvm_kernels.others(rng, steps, shape)
    arguments = [x, *dense.pack(kernel, bias), *others]
    layer = Dense(shape, 33, steps)
    found = tvm_kernels.run(layer, tvm_kernels.TILES[tile], arguments, shape)
    sums = x.astype(np.float64) @ kernel + bias
    tvm_kernels.assert_close(found, tvm_kernels.apply(sums, steps, others))


def test_a_wrong_weight_is_seen(rng):
    kernel = rng.normal(size=(5, 9)).astype(np.float32)
    weights, bias = dense.pack(kernel, np.zeros(9, np.float32))
    weights[0, -1, 8] += 1
    x = np.ones((1, 5), np.float32)
    found = tvm_kernels.run(
        Dense((1, 9), 5), tvm_kernels.TILES["avx2"], [x, weights, bias], (1, 9)
    )
    with pytest.raises(AssertionError):
        tvm_kernels.assert_close(found, x @ kernel)
