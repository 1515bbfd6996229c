import pytest
from kernel_results import SMALL, kernel

from tfmot_onexn.experiments.speed import kernel_tables
from tfmot_onexn.experiments.speed.depthwise_speed import (
    DepthwiseResult,
    DepthwiseShape,
)
from tfmot_onexn.experiments.speed.kernel_timing import Spread


def test_shapes_have_a_row_each():
    results = [
        *(kernel(0.9), kernel(0.8, n=4), kernel(0.5, shape=SMALL), kernel(1, 16)),
        kernel(0.7, None, 0.0),
    ]
    table = kernel_tables.shapes([*results, kernel(0.1, isa="avx2")], "avx512")
    assert table.header == ("H×W K→M", "dense", "n=16 50 %", "n=8 50 %", "n=4 50 %")
    assert table.rows == (
        ("14×14 64→384", "70 70 %", "100 100 %", "90 90 %", "80 80 %"),
        ("7×7 32→32", "–", "–", "50 50 %", "–"),
    )


def test_cases_are_summed_up_beside_csr():
    results = [
        *(kernel(share, 16) for share in (0.8, 0.9, 0.86)),
        kernel(0.9, 16, 0.75, microseconds=5.0),
        kernel(0.2, 1, 0.5, microseconds=40.0),
        kernel(0.7, None, 0.0),
        # of another size than there is a goal for
        kernel(0.1, 16, shape=SMALL),
    ]
    table = kernel_tables.cases(results)
    assert table.rows == (
        ("dense", "0 %", "1", "70 % (70–70)", "70", "1.40×", "–", "–"),
        # the geometric mean of 1.6, 1.8 and 1.72
        ("16", "50 %", "3", "86 % (80–90)", "86", "1.70×", "5.00×", "4.00×"),
        ("16", "75 %", "1", "90 % (90–90)", "90", "1.80×", "5.00×", "–"),
        ("1 (CSR)", "50 %", "1", "20 % (20–20)", "20", "0.40×", "5.00×", "1.00×"),
    )
    assert kernel_tables.cases([kernel(0.1, shape=SMALL)]).rows == ()


def test_depthwise_kernels_are_summed_up_by_window_and_stride():
    def result(taps, stride, value):
        spreads = [Spread(value, value, value)] * 4
        return DepthwiseResult(DepthwiseShape(14, 64, taps, stride), *spreads)

    found = [result(5, 1, 7.0), result(3, 2, 2.0), result(3, 2, 8.0)]
    assert kernel_tables.depthwise(found).rows == (
        ("3×3", "2", "2", "5 (2–8)", "5 (2–8)", "4.00×"),
        ("5×5", "1", "1", "7 (7–7)", "7 (7–7)", "7.00×"),
    )


@pytest.mark.parametrize(("isa", "name"), [("avx2", "AVX2"), ("other", "other")])
def test_names_of_isas(isa, name):
    assert kernel_tables.isa_name(isa) == name
