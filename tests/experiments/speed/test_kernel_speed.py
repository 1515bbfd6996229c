import chain_library
import kernel_results
import pytest

from tfmot_onexn.benchmark import delegate_kernels
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments.speed import kernel_speed
from tfmot_onexn.experiments.speed.kernel_providers import DelegateKernels, TvmKernels

SHAPE = Shape("small", 9, 8, 24, 32)


@pytest.fixture(scope="module")
def library():
    return delegate_kernels.Library(chain_library.path())


@pytest.fixture(scope="module")
def provider(library):
    return DelegateKernels(library)


def measure(provider, shape, *cases):
    # of an odd number, the median of a reciprocal is the reciprocal of the median
    return kernel_speed.measure(provider, [(shape, cases)], rounds=3)


def test_every_case_has_a_result_for_each_isa(provider, library):
    expected = [(16, 0.5), (8, 0.75), (1, 0.9)]
    found = measure(provider, SHAPE, *expected)
    cases = [(each.n, each.sparsity, each.isa) for each in found]
    assert cases == [(*case, isa) for case in expected for isa in library.isas()]
    for each in found:
        ratios = (each.share_of_peak, each.dense, each.reference, each.scipy)
        for spread in (each.gmacs, *ratios):
            assert 0 < spread.p10 <= spread.median <= spread.p90
        assert each.peak > 0
        assert each.pixels == 72


def test_strides_are_measured(provider):
    (found, *_) = measure(provider, Shape("strided", 5, 5, 8, 24, 2), (8, 0.5))
    assert (found.n, found.pixels) == (8, 9)


def test_n_divides_the_outputs_and_more_cases_are_of_some_shapes():
    shapes = [Shape(str(i), 4, 4, 8, 24 if i else 16) for i in range(8)]
    dense, wide, more = kernel_speed.DENSE, (16, 0.5), (8, 0.9)
    found = kernel_speed.listed(shapes, [dense, wide], [more])
    assert [shape for shape, _ in found] == shapes
    cases = [of_shape for _, of_shape in found]
    assert cases == [[dense, wide, more], *[[dense]] * 5, [dense, more], [dense]]
    ((_, chosen), *others) = kernel_speed.listed(
        shapes, [dense], [more], lambda index, shape: shape.outputs == 16
    )
    assert chosen == [dense, more]
    assert {tuple(of_shape) for _, of_shape in others} == {(dense,)}


def test_a_wrong_kernel_is_not_timed(provider, monkeypatch):
    monkeypatch.setattr(kernel_speed.np, "clip", lambda values, *_: values + 1)
    with pytest.raises(ValueError, match=r"n = 8, beside SciPy's product, is .* off"):
        measure(provider, SHAPE, (8, 0.5))


def test_shapes_are_the_networks_without_single_pixels():
    found = kernel_speed.default_shapes()
    assert len(found) > 40
    assert len({(s.height, s.inputs, s.outputs) for s in found}) == len(found)
    assert min(shape.pixels for shape in found) == 49


@pytest.mark.parametrize(
    ("shape", "targeted"),
    [
        (Shape("", 14, 14, 64, 64), True),
        (Shape("", 28, 28, 64, 64, 2), True),
        (Shape("", 14, 13, 64, 64), False),
        (Shape("", 14, 14, 60, 64), False),
        (Shape("", 14, 14, 64, 60), False),
    ],
)
def test_goals_are_of_large_layers(shape, targeted):
    assert kernel_results.kernel(0.5, shape=shape).targeted == targeted


def test_kernels_of_tvm_are_measured_in_the_same_way(library):
    cases = [kernel_speed.DENSE, (8, 0.75), (1, 0.75)]
    found = measure(TvmKernels(library), SHAPE, *cases)
    assert [(each.n, each.sparsity) for each in found] == cases
    for each in found:
        assert each.isa == library.isas()[0]
        assert each.reference is None
        assert (each.scipy is None) == (each.n is None)
        assert each.gmacs.median > 0
        # work of non-zero weights
        macs = SHAPE.macs * (1 - each.sparsity)
        gmacs = macs / each.microseconds.median / 1e3
        assert each.gmacs.median == pytest.approx(gmacs, rel=1e-3)
