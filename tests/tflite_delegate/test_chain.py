import threading

import hypothesis
import kernel_cases
import numpy as np
import pytest
from hypothesis import strategies as st
from kernel_chains import (
    SIZES,
    Case,
    Chain,
    Convolution,
    Depthwise,
    Runner,
    Window,
    assert_same,
    cache,
    isas,
)

CACHES = st.sampled_from(kernel_cases.CACHES)
THREADS = st.sampled_from([1, 2, 3])


@hypothesis.settings(max_examples=450)
@hypothesis.given(kernel_cases.blocks(expand=True, squeeze=False), CACHES, THREADS)
def test_inverted_residuals(case, cache_size, threads):
    case.check(threads=[threads], cache_size=cache_size)


@hypothesis.settings(max_examples=360)
@hypothesis.given(kernel_cases.blocks(squeeze=True), CACHES, THREADS)
def test_squeeze_and_excite(case, cache_size, threads):
    case.check(threads=[threads], cache_size=cache_size)


@hypothesis.given(kernel_cases.blocks(), kernel_cases.generators(), THREADS)
def test_what_is_not_finite(case, rng, threads):
    kernel_cases.spoiled(case, rng).check(threads=[threads])


def inverted_residual(rng, n=8, size=20, stride=1):
    outputs, pad = kernel_cases.extent(size, 3, stride, 1, "SAME")
    expand = Convolution(rng, 6 * n, 24, n, activation="relu6")
    window = Window(3, 3, stride, stride, 1, 1, pad, pad)
    depthwise = Depthwise(rng, expand.rows, window, "relu6")
    chain = Chain(Convolution(rng, 2 * n, expand.rows, n), expand, depthwise)
    x = kernel_cases.feature_map(rng, (1, size, size, 24))
    return Case(chain, x, (1, outputs, outputs, 2 * n))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("n", SIZES)
def test_every_strip(n, stride, rng):
    case = inverted_residual(rng, n, 15, stride)
    for size in [2**i for i in range(10, 21)]:
        case.check(threads=[1, 2], cache_size=size)


@pytest.mark.parametrize("workers", [1, 3])
def test_one_chain_in_several_threads(workers, rng):
    """Each gets scratch memory of its own; one has the workers."""
    case = inverted_residual(rng)
    shapes = (case.x.shape, case.output_shape)
    with cache(30_000):
        runners = [Runner(case.chain, isa, *shapes, workers) for isa in isas()]
    inputs = [kernel_cases.feature_map(rng, case.x.shape) for _ in range(4)]
    expected = [Case(case.chain, x, case.output_shape).run("reference") for x in inputs]
    outputs = [[] for _ in inputs]

    def run(x, found):
        for _ in range(5):
            found.extend(runner(x) for runner in runners)

    threads = [
        threading.Thread(target=run, args=pair)
        for pair in zip(inputs, outputs, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found, one in zip(outputs, expected, strict=True):
        assert len(found) == 5 * len(runners)
        for output in found:
            assert_same(output, one)


@pytest.mark.parametrize("threads", [1, 2])
def test_every_run_gives_the_same_bits(threads, rng):
    case = inverted_residual(rng)
    for isa in isas():
        runner = Runner(case.chain, isa, case.x.shape, case.output_shape, threads)
        first = runner(case.x)
        for _ in range(5):
            np.testing.assert_array_equal(runner(case.x), first)


def test_names(rng):
    case = inverted_residual(rng, 4)
    shapes = (case.x.shape, case.output_shape)
    chain = case.chain
    assert Runner(chain, "portable", *shapes).name == (
        "f32_inverted_residual_1x4__portable"
    )
    assert Runner(Chain(chain.project, None, chain.depthwise), "portable", *shapes).name
    one = Chain(Convolution(rng, 32, 8, 16))
    shapes = ((1, 2, 2, 8), (1, 2, 2, 32))
    assert Runner(one, "reference", *shapes).name == "f32_pointwise_1x16__reference"
    with pytest.raises(MemoryError):
        Runner(one, "no such ISA", *shapes)


@pytest.mark.parametrize(
    "fault", ["product block", "pack channel", "depthwise tap", "depthwise activation"]
)
def test_a_wrong_kernel_is_seen(fault, rng):
    case = inverted_residual(rng)
    case.check(["portable"], cache_size=30_000)
    with pytest.raises(AssertionError):
        case.check([fault], cache_size=30_000)
