import hypothesis
import numpy as np
import tvm
from hypothesis import strategies as st

from tfmot_onexn.tvm import processors
from tfmot_onexn.tvm.kernels import panel, tir
from tfmot_onexn.tvm.kernels.arrays import Arrays


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    st.sampled_from([2, 4, 8, 16]), st.integers(0, 30), st.integers(1, 50)
)
def test_a_panel_is_transposed(lanes, more, columns):
    pixels = lanes + more

    def body(x, y):
        arrays = Arrays(x, None, None, None, None, [], None, 0, columns, 1, ())
        panel.pack(arrays, y, 2, pixels, lanes)

    parameters = {
        "x": ((pixels + 2, columns), "float32"),
        "y": ((columns, pixels), "float32"),
    }
    target, _ = processors.processor("host")
    kernel = tvm.compile(tir.function("kernel", parameters, body), target)["kernel"]
    x = np.random.default_rng(0).normal(size=(pixels + 2, columns))
    x = x.astype(np.float32)
    y = tvm.runtime.tensor(np.zeros((columns, pixels), np.float32))
    kernel(tvm.runtime.tensor(x), y)
    np.testing.assert_array_equal(y.numpy(), x[2:].T)
