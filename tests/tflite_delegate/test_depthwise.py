import hypothesis
import kernel_cases
import pytest
from hypothesis import strategies as st
from kernel_chains import Case, Chain, Convolution, Depthwise, Window


def case_of(rng, taps, stride, size, channels=20, activation="relu6"):
    outputs, pads = zip(
        *(kernel_cases.extent(s, taps, stride, 1, "SAME") for s in size), strict=True
    )
    window = Window(taps, taps, stride, stride, 1, 1, *pads)
    depthwise = Depthwise(rng, channels, window, activation, offset=1)
    chain = Chain(Convolution(rng, 16, channels, 8), None, depthwise)
    x = kernel_cases.feature_map(rng, (1, *size, channels), 1)
    return Case(chain, x, (1, *outputs, 16))


@hypothesis.settings(max_examples=360)
@hypothesis.given(
    kernel_cases.blocks(expand=False, squeeze=False),
    st.sampled_from(kernel_cases.CACHES),
    st.sampled_from([1, 2, 3]),
)
def test_depthwise_and_projection(case, cache, threads):
    case.check(threads=[threads], cache_size=cache)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_every_width(taps, stride, rng):
    for width in range(1, 36):
        case_of(rng, taps, stride, (6, width)).check(cache_size=20_000)


@pytest.mark.parametrize("activation", ["none", "relu", "hard_swish"])
def test_every_number_of_channels(activation, rng):
    for channels in [*range(1, 20), 31, 32, 33]:
        case_of(rng, 3, 1, (4, 5), channels, activation).check()


@pytest.mark.parametrize("taps", [3, 5])
def test_what_is_not_finite(taps, rng):
    for _ in range(20):
        kernel_cases.spoiled(case_of(rng, taps, 2, (7, 9)), rng).check()


@pytest.mark.parametrize(
    "fault", ["depthwise tap", "depthwise stride", "depthwise activation"]
)
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_a_wrong_convolution_is_seen(taps, fault, rng):
    case = case_of(rng, taps, 2, (9, 9))
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check([fault])
