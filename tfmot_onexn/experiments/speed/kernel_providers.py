"""Kernels that can be measured: those of the delegate, and those of TVM builds."""

import os
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tfmot_onexn.benchmark.delegate_kernels import REFERENCE, Library, Pointwise
from tfmot_onexn.sparsity.bsr import BSR


class Layer(Protocol):
    """A layer that is ready to run."""

    def __call__(self) -> np.ndarray:
        """Returns the output."""

    def seconds(self, runs: int) -> np.ndarray:
        """Returns the seconds of so many runs."""


class Provider(Protocol):
    """Where kernels come from.

    Attributes:
      isas: that they are measured on, the widest first.
      names: of the kernels: the ISAs, and perhaps `REFERENCE`.
    """

    isas: Sequence[str]
    names: Sequence[str]

    def peak(self, isa: str) -> float:
        """Returns what one thread multiplies and adds from registers, in GMAC/s."""

    def pointwise(
        self,
        name: str,
        kernel_io: np.ndarray,
        kept: BSR,
        bias: np.ndarray,
        images: np.ndarray,
        stride: int,
    ) -> Layer:
        """Returns a 1x1 convolution with ReLU6.

        Args:
          name: one of `names`.
          kernel_io: ``[K, M]``.
          kept: the same in blocks.
          bias: ``[M]``.
          images: float32 ``[1, H, W, K]``.
          stride: in both directions.
        """


class DelegateKernels:
    """Those of the delegate, on each ISA of this processor, and its plain loops."""

    def __init__(self, library: Library):
        self._library = library
        self.isas: Sequence[str] = library.isas()
        self.names: Sequence[str] = [*self.isas, REFERENCE]
        self.peak = library.peak

    def pointwise(
        self,
        name: str,
        kernel_io: np.ndarray,
        kept: BSR,
        bias: np.ndarray,
        images: np.ndarray,
        stride: int,
    ) -> Layer:
        """See `Provider`."""
        del kernel_io  # it reads blocks
        return Pointwise(self._library, name, kept, bias, images, stride)


class TvmKernels:
    """Those that TVM builds for this machine have.

    Args:
      library: measures the peak.
    """

    def __init__(self, library: Library):
        # TVM gives all threads of the machine to whoever does not ask
        os.environ["TVM_NUM_THREADS"] = "1"
        os.environ.setdefault("TVM_BIND_THREADS", "0")
        self.isas: Sequence[str] = library.isas()[:1]
        self.names: Sequence[str] = self.isas
        self.peak = library.peak

    def pointwise(
        self,
        name: str,
        kernel_io: np.ndarray,
        kept: BSR,
        bias: np.ndarray,
        images: np.ndarray,
        stride: int,
    ) -> Layer:
        """See `Provider`; n is found from the zeros, as in a build."""
        # the delegate is measured without TVM
        from tfmot_onexn.tvm.one_layer import Compiled, Convolution

        del name, kept
        return Compiled(Convolution(kernel_io[None, None], bias, stride), images)
