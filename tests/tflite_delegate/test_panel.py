import kernel_cases
import pytest
from kernel_chains import Case, Chain, Convolution, Window


def convolution(rng, n=16, columns=20, pixels=7, window=Window(), **options):  # noqa: B008
    layer = Convolution(rng, 2 * n, columns, n, window=window, **options)
    x = kernel_cases.feature_map(rng, (1, 3, pixels, columns), 1)
    return Case(Chain(layer), x, (1, 3, pixels, layer.rows))


@pytest.mark.parametrize("n", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("density", [0.05, 1.0])
def test_every_order_of_a_panel(density, n, rng):
    """Inputs that are used often are transposed, others are not."""
    for columns in (1, 15, 16, 17, 33):
        case = convolution(rng, n, columns, density=density)
        layer = Convolution(rng, 64 * n, columns, n, density=density)
        case.check(cache_size=4000)
        Case(Chain(layer), case.x, (1, 3, 7, layer.rows)).check(cache_size=4000)


@pytest.mark.parametrize("pads", [(0, 0), (1, 1), (2, 0), (0, 2)])
def test_windows_over_the_edge(pads, rng):
    for n in (1, 4, 16):
        window = Window(3, 3, pad_top=pads[0], pad_left=pads[1])
        case = convolution(rng, n, window=window)
        case.output_shape = (1, 1 + pads[0], 5 + pads[1], 2 * n)
        case.check(threads=[1, 2])


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (9, 9)])
def test_means_of_channels(size, rng):
    kernel_cases.squeezed(rng, (2, *size, 20)).check(threads=[1, 3])


@pytest.mark.parametrize("fault", ["pack channel", "pack pixel"])
@pytest.mark.parametrize("n", [1, 2, 4, 8, 16])
def test_a_wrong_panel_is_seen(n, fault, rng):
    case = convolution(rng, n, density=1)
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check([fault])


def test_a_wrong_mean_is_seen(rng):
    case = kernel_cases.squeezed(rng, (1, 4, 5, 20))
    case.check(["portable"])
    with pytest.raises(AssertionError):
        case.check(["sum pixel"])
