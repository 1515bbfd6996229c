import hypothesis
import kernel_cases
import numpy as np
import pytest
from hypothesis import strategies as st
from kernel_chains import SIZES, Case, Chain, Convolution, Window

CACHES = st.sampled_from(kernel_cases.CACHES)


@hypothesis.settings(max_examples=450)
@hypothesis.given(kernel_cases.products(), CACHES, st.sampled_from([1, 2, 3]))
def test_pointwise(case, cache, threads):
    case.check(threads=[threads], cache_size=cache)


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    kernel_cases.products(most=4, dilations=(1, 2)), CACHES, st.sampled_from([1, 3])
)
def test_windows(case, cache, threads):
    case.check(threads=[threads], cache_size=cache)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("pixels", range(1, 35))
def test_every_number_of_pixels(pixels, n, rng):
    layer = Convolution(rng, 2 * n, 37, n, edges=True, activation="relu6")
    x = kernel_cases.feature_map(rng, (1, 1, pixels, 37), 1)
    Case(Chain(layer), x, (1, 1, pixels, layer.rows), offset=1).check()


@pytest.mark.parametrize("n", SIZES)
def test_every_number_of_channels(n, rng):
    for columns in [*range(1, 35), 63, 64, 65]:
        layer = Convolution(rng, 3 * n, columns, n, activation="hard_swish")
        x = kernel_cases.feature_map(rng, (1, 3, 7, columns))
        Case(Chain(layer), x, (1, 3, 7, layer.rows)).check()


@pytest.mark.parametrize("n", SIZES)
def test_a_strided_pointwise_convolution(n, rng):
    layer = Convolution(rng, 2 * n, 20, n, window=Window(stride_y=2, stride_x=2))
    x = kernel_cases.feature_map(rng, (2, 9, 12, 20))
    Case(Chain(layer), x, (2, 5, 6, layer.rows)).check(threads=[1, 2])


@hypothesis.given(kernel_cases.products(), kernel_cases.generators())
def test_what_is_not_finite(case, rng):
    kernel_cases.spoiled(case, rng).check()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(value, rng):
    for n in SIZES:
        layer = Convolution(rng, 3 * n, 20, n, activation="relu6")
        layer.data[len(layer.data) // 2] = value
        x = kernel_cases.feature_map(rng, (1, 5, 7, 20))
        Case(Chain(layer), x, (1, 5, 7, layer.rows)).check()


@pytest.mark.parametrize(
    "fault",
    ["product block", "product pixel", "product residual", "product activation"],
)
def test_a_wrong_product_is_seen(fault, rng):
    for n in SIZES:
        layer = Convolution(rng, 3 * n, 20, n, density=1, activation="relu")
        x = kernel_cases.feature_map(rng, (1, 5, 7, 20))
        residual = kernel_cases.feature_map(rng, (1, 5, 7, layer.rows))
        case = Case(Chain(layer), x, residual.shape, residual)
        case.check(["portable"])
        with pytest.raises(AssertionError):
            case.check([fault])


def test_a_lost_nan_is_seen(rng):
    layer = Convolution(rng, 32, 20, 8, density=1)
    x = kernel_cases.feature_map(rng, (1, 5, 7, 20))
    # the last channel, which this fault does not read
    x[0, -1, -1, -1] = np.nan
    case = Case(Chain(layer), x, (1, 5, 7, layer.rows))
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check(["pack channel"])
