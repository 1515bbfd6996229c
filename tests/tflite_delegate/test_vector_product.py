import hypothesis
import kernel_cases
import pytest
from kernel_chains import SIZES, Case, Chain, Convolution


@hypothesis.settings(max_examples=600)
@hypothesis.given(kernel_cases.vectors())
def test_one_pixel(case):
    case.check(threads=[1, 2])


@hypothesis.given(kernel_cases.vectors(), kernel_cases.generators())
def test_what_is_not_finite(case, rng):
    kernel_cases.spoiled(case, rng).check()


def case_of(rng, n):
    layer = Convolution(rng, 3 * n, 50, n, density=1, activation="relu")
    residual = kernel_cases.feature_map(rng, (1, 1, 1, layer.rows))
    x = kernel_cases.feature_map(rng, (1, 1, 1, 50))
    return Case(Chain(layer), x, residual.shape, residual)


@pytest.mark.parametrize(
    "fault", ["vector block", "vector row", "vector residual", "vector activation"]
)
@pytest.mark.parametrize("n", SIZES)
def test_a_wrong_product_is_seen(n, fault, rng):
    # so that the activation changes a few outputs at least
    case = case_of(rng, n)
    case.chain.project.bias[:] = -abs(case.chain.project.bias) - 1
    case.chain.project.bias[-1] = 5
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check([fault])
