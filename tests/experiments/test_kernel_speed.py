import chain_library
import numpy as np
import pytest

from tfmot_onexn.benchmark import delegate_kernels
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments import kernel_speed

SHAPE = Shape("small", 9, 8, 24, 32)


@pytest.fixture(scope="module")
def library():
    return delegate_kernels.Library(chain_library.path())


def measure(library, *shapes, **keywords):
    return kernel_speed.measure(library, shapes, rounds=2, **keywords)


def test_every_case_has_a_result_for_each_isa(library):
    found = measure(library, SHAPE, cases=[(16, 0.5), (8, 0.75)], more_cases=[(1, 0.9)])
    expected = [(16, 0.5), (8, 0.75), (1, 0.9)]
    cases = [(each.n, each.sparsity, each.isa) for each in found]
    assert cases == [(*case, isa) for case in expected for isa in library.isas()]
    for each in found:
        ratios = (each.share_of_peak, each.dense, each.reference, each.scipy)
        for spread in (each.gmacs, *ratios):
            assert 0 < spread.p10 <= spread.median <= spread.p90
        assert each.peak > 0
        assert each.pixels == 72


def test_n_divides_the_outputs_and_strides_are_measured(library):
    shape = Shape("strided", 5, 5, 8, 24, 2)
    found = measure(library, shape, cases=[(16, 0.5), (8, 0.5)], more_cases=[])
    assert {each.n for each in found} == {8}
    assert {each.pixels for each in found} == {9}


def test_more_cases_are_of_some_shapes(library, monkeypatch):
    monkeypatch.setattr(kernel_speed, "_EVERY", 2)
    other = Shape("other", 4, 4, 8, 8)
    found = measure(library, SHAPE, other, cases=[(8, 0.5)], more_cases=[(4, 0.5)])
    assert {(each.shape.name, each.n) for each in found} == {
        *(("small", 8), ("small", 4), ("other", 8)),
    }


def test_a_wrong_kernel_is_not_timed(library, monkeypatch):
    monkeypatch.setattr(kernel_speed.np, "clip", lambda values, *_: values + 1)
    with pytest.raises(ValueError, match=r"with n = 8 is .* off SciPy's product"):
        measure(library, SHAPE, cases=[(8, 0.5)], more_cases=[])


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
    spread = kernel_speed.Spread.of(np.arange(11.0))
    assert (spread.p10, spread.median, spread.p90) == (1, 5, 9)
    spreads = [spread] * 4
    result = kernel_speed.KernelResult(
        shape, shape.pixels, 8, 0.5, "avx2", spread, 60.0, *spreads
    )
    assert result.targeted == targeted
