import kernel_cases
import pytest
from kernel_chains import SIZES

SHAPE = (2, 6, 7, 40)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("n", [*SIZES, 48])
def test_gates_of_any_block(n, threads, rng):
    kernel_cases.squeezed(rng, SHAPE, n, rows=2 * n).check(threads=[threads])


@pytest.mark.parametrize("cache_size", kernel_cases.CACHES)
def test_gates_of_several_strips(cache_size, rng):
    case = kernel_cases.squeezed(rng, (1, 20, 9, 40), taps=5)
    case.check(threads=[1, 2, 3], cache_size=cache_size)


@pytest.mark.parametrize("fault", ["scale block", "sum pixel", "vector block"])
def test_a_wrong_gate_is_seen(fault, rng):
    case = kernel_cases.squeezed(rng, SHAPE)
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check([fault])
