import numpy as np
import pytest
import tvm_kernels
from tvm.tirx.script.builder import ir

from tfmot_onexn.tvm.kernels import direct, panel
from tfmot_onexn.tvm.kernels.arrays import sparse_function
from tfmot_onexn.tvm.kernels.epilogue import Clip

PIXELS, COLUMNS, ROWS, N = 21, 9, 48, 24


class Rows:
    """Some pixels of a product, as they lie or from a transposed panel."""

    def __init__(self, blocks, lanes, fetch):
        self.blocks, self.lanes, self.fetch = blocks, lanes, fetch

    def function(self, name, tile):
        def body(arrays):
            packed = None
            if self.lanes:
                packed = panel.packed(arrays, 2, PIXELS - 2, self.lanes)
            with ir.serial(0, ROWS // N) as row:
                options = {"panel": packed, "fetch": self.fetch}
                direct.emit_rows(arrays, row, 2, PIXELS - 2, **options)

        return sparse_function(
            *(name, (PIXELS, COLUMNS), (PIXELS, ROWS), (self.blocks, 1, N)),
            *((Clip(-1.0, 1.0),), body),
        )


@pytest.mark.parametrize("lanes", [0, 4, 16])
@pytest.mark.parametrize("fetch", [False, True])
def test_pixels_from_the_second_on_are_computed(lanes, fetch, rng):
    kernel = rng.normal(size=(1, 1, COLUMNS, ROWS)).astype(np.float32)
    kernel, data, indices, indptr = tvm_kernels.blocks(rng, kernel, N)
    x = rng.normal(size=(PIXELS, COLUMNS)).astype(np.float32)
    bias = rng.normal(size=ROWS).astype(np.float32)
    rows = Rows(len(data), lanes, fetch)
    arguments = [x, data, indices, indptr, bias]
    found = tvm_kernels.run(rows, None, arguments, (PIXELS, ROWS))
    expected = np.clip(x.astype(np.float64) @ kernel[0, 0] + bias, -1, 1)
    tvm_kernels.assert_close(found[2:], expected[2:])
    assert np.isnan(found[:2]).all()
