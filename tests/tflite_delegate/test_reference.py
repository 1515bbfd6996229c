"""The oracle of all kernels, against NumPy and SciPy."""

import hypothesis
import kernel_cases
import numpy as np
import pytest
from kernel_chains import assert_same


@hypothesis.given(kernel_cases.products())
def test_pointwise(case):
    assert_same(case.run("reference"), kernel_cases.in_numpy(case))


@hypothesis.given(kernel_cases.products(most=4, dilations=(1, 2)))
def test_windows(case):
    assert_same(case.run("reference"), kernel_cases.in_numpy(case))


@hypothesis.given(kernel_cases.blocks(expand=False, squeeze=False))
def test_depthwise(case):
    assert_same(case.run("reference"), kernel_cases.in_numpy(case))


@hypothesis.given(kernel_cases.blocks(expand=True))
def test_chains(case):
    assert_same(case.run("reference"), kernel_cases.in_numpy(case))


@hypothesis.given(kernel_cases.products(), kernel_cases.generators())
def test_what_is_not_finite(case, rng):
    kernel_cases.spoiled(case, rng)
    with np.errstate(invalid="ignore"):
        expected = kernel_cases.in_numpy(case)
    assert_same(case.run("reference"), expected)


@pytest.mark.parametrize("damage", [1e-4, np.nan])
def test_a_difference_is_seen(damage):
    expected = np.ones((1, 2, 2, 3), np.float32)
    found = expected.copy()
    assert_same(found, expected)
    found[0, 1, 1, 2] += damage
    with pytest.raises(AssertionError):
        assert_same(found, expected)
    with pytest.raises(AssertionError):
        assert_same(expected, found)
