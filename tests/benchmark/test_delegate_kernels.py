import chain_library
import numpy as np
import pytest

from tfmot_onexn.benchmark import delegate_kernels
from tfmot_onexn.sparsity import bsr, masks
from tfmot_onexn.tflite import delegate


@pytest.fixture(scope="module")
def library():
    return delegate_kernels.Library(chain_library.path())


@pytest.fixture
def kernel_io(rng):
    values = rng.normal(size=(24, 32)).astype(np.float32)
    return values * masks.Pattern("block", 8).mask(values, 0.5)


@pytest.mark.parametrize("stride", [1, 2])
def test_kernels_compute_the_product(library, kernel_io, rng, stride):
    images = rng.normal(size=(1, 5, 7, 24)).astype(np.float32)
    bias = rng.normal(size=32).astype(np.float32)
    product = images[:, ::stride, ::stride] @ kernel_io + bias
    for isa in [*library.isas(), delegate_kernels.REFERENCE]:
        layer = delegate_kernels.Pointwise(
            *(library, isa, bsr.encode(kernel_io, 8), bias, images, stride)
        )
        np.testing.assert_allclose(layer(), np.clip(product, 0, 6), atol=1e-5)
        assert (layer.seconds(5) > 0).all()
        layer.close()


def test_only_isas_of_the_processor_have_a_peak(library):
    assert set(library.isas()) <= set(delegate_kernels.ISAS)
    assert library.peak("none") == 0
    assert all(library.peak(isa) > 0.1 for isa in library.isas())


def test_an_isa_that_is_not_there_is_told(library, kernel_io):
    with pytest.raises(ValueError, match="no kernel for none"):
        delegate_kernels.Pointwise(
            library,
            "none",
            bsr.encode(kernel_io, 8),
            np.zeros(32),
            np.zeros((1, 2, 2, 24)),
        )


def test_another_library_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"has no function onexn_create\."):
        delegate_kernels.Library(delegate.packaged())
    with pytest.raises(ValueError, match=r"missing\.so: .*-DONEXN_TESTING=ON"):
        delegate_kernels.Library(tmp_path / "missing.so")


def test_copies_begin_on_a_cache_line(rng):
    values = rng.integers(0, 9, (3, 5))
    for dtype in (np.float32, np.int32):
        copy = delegate_kernels.aligned(values, dtype)
        assert copy.ctypes.data % 64 == 0
        assert copy.dtype == dtype
        np.testing.assert_array_equal(copy, values)
