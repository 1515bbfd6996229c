import chain_library
import numpy as np
import pytest

from tfmot_onexn.benchmark.delegate_kernels import Library
from tfmot_onexn.experiments.speed import kernel_providers
from tfmot_onexn.sparsity import bsr, masks


@pytest.fixture(scope="module")
def library():
    return Library(chain_library.path())


@pytest.fixture
def layer(rng):
    """Kernel, blocks, bias and images of a layer."""
    kernel_io = rng.normal(size=(12, 32))
    kernel_io = (kernel_io * masks.block_mask(kernel_io, 8, 0.5)).astype(np.float32)
    images = rng.normal(size=(1, 6, 5, 12)).astype(np.float32)
    bias = rng.normal(size=32).astype(np.float32)
    return kernel_io, bsr.encode(kernel_io, 8), bias, images


@pytest.mark.parametrize("kind", ["DelegateKernels", "TvmKernels"])
@pytest.mark.parametrize("stride", [1, 2])
def test_all_compute_the_same(library, layer, kind, stride):
    provider = getattr(kernel_providers, kind)(library)
    kernel_io, _, bias, images = layer
    expected = np.clip(images[:, ::stride, ::stride] @ kernel_io + bias, 0, 6)
    for name in provider.names:
        found = provider.pointwise(name, *layer, stride)
        np.testing.assert_allclose(found(), expected, atol=1e-5)
        assert found.seconds(3).shape == (3,)
        assert (found.seconds(3) > 0).all()


def test_names_and_isas(library):
    delegate = kernel_providers.DelegateKernels(library)
    assert delegate.names == [*library.isas(), "reference"]
    tvm = kernel_providers.TvmKernels(library)
    assert tvm.names == tvm.isas == library.isas()[:1]
    assert tvm.peak(tvm.isas[0]) > 0
