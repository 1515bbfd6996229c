import hypothesis
import numpy as np
import pytest
import tvm
from hypothesis import strategies as st
from tvm.tirx.script.builder import ir

from tfmot_onexn.tvm import processors
from tfmot_onexn.tvm.kernels import tir


@hypothesis.given(st.integers(1, 1000), st.integers(1, 40))
def test_parts_are_even_and_none_is_too_large(total, most):
    size, count, left = tir.parts(total, most)
    assert size * count + left == total
    assert 1 <= size <= most
    assert left < size
    # no more of them than it takes
    assert count + bool(left) == -(-total // most)


def test_nothing_has_no_parts():
    assert tir.parts(0, 5) == (1, 0, 0)


def compiled(parameters, body):
    target, _ = processors.processor("host")
    return tvm.compile(tir.function("kernel", parameters, body), target)["kernel"]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 16])
def test_vectors_of_any_width(lanes, rng):
    def body(x, y):
        [kept] = tir.registers(1, lanes)
        tir.store(kept, 0, tir.number(2.0, lanes), lanes)
        value = tir.load(x, 3, lanes) * tir.load(kept, 0, lanes)
        tir.prefetch(x, 0)
        tir.store(y, 1, value + tir.spread(x[0], lanes), lanes)

    kernel = compiled({"x": ((2, 16), "float32"), "y": ((20,), "float32")}, body)
    x = rng.normal(size=(2, 16)).astype(np.float32)
    y = tvm.runtime.tensor(np.zeros(20, np.float32))
    kernel(tvm.runtime.tensor(x), y)
    expected = np.zeros(20, np.float32)
    expected[1 : 1 + lanes] = x.reshape(-1)[3 : 3 + lanes] * 2 + x[0, 0]
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("loop", [ir.serial, ir.parallel])
@pytest.mark.parametrize("total", [3, 7, 20, 23])
def test_a_loop_over_parts_sees_everything_once(total, loop):
    def body(y):
        def emit(first, count):
            for i in range(count):
                tir.store(y, first + i, y[first + i] + ir.float32(1), 1)

        tir.each_part(total, 7, emit, loop)

    kernel = compiled({"y": ((total,), "float32")}, body)
    y = tvm.runtime.tensor(np.zeros(total, np.float32))
    kernel(y)
    np.testing.assert_array_equal(y.numpy(), 1)


def test_a_vector_that_no_register_holds_is_refused():
    with pytest.raises(ValueError, match="A vector of 256 lanes would not stay in"):
        tir.registers(1, 256)
