"""Small feature maps, of which threads share out channels and block rows."""

import hypothesis
import kernel_cases
import pytest
from hypothesis import strategies as st
from kernel_chains import SIZES, Case, Chain, Convolution, Depthwise, Window

THREADS = [1, 2, 3, 8]


@hypothesis.settings(max_examples=200)
@hypothesis.given(kernel_cases.products(most=3, size=6), st.sampled_from(THREADS))
def test_products_of_a_few_pixels(case, threads):
    case.check(threads=[threads])


@hypothesis.settings(max_examples=200)
@hypothesis.given(kernel_cases.blocks(squeeze=False, size=8), st.sampled_from(THREADS))
def test_chains_of_a_few_pixels(case, threads):
    case.check(threads=[threads])


def wide(rng, n, size=7):
    """As in the last blocks of a MobileNet: few pixels, many channels."""
    depthwise = Depthwise(rng, 12 * n + 5, Window(5, 5, pad_top=2, pad_left=2))
    chain = Chain(Convolution(rng, 9 * n, 12 * n + 5, n), None, depthwise)
    x = kernel_cases.feature_map(rng, (2, size, size, 12 * n + 5))
    output_shape = (2, size, size, 9 * n)
    return Case(chain, x, output_shape, kernel_cases.feature_map(rng, output_shape))


@pytest.mark.parametrize("size", [1, 7, 14])
@pytest.mark.parametrize("n", SIZES)
def test_many_channels(n, size, rng):
    wide(rng, n, size).check(threads=THREADS)


@pytest.mark.parametrize("fault", ["product block", "product pixel", "pack pixel"])
def test_a_wrong_part_is_seen(fault, rng):
    case = wide(rng, 8)
    case.check(["portable"], threads=[3])
    with pytest.raises(AssertionError):
        case.check([fault], threads=[3])
