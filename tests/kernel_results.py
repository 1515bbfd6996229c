"""Results of kernels, as if measured."""

from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments.speed.kernel_speed import KernelResult
from tfmot_onexn.experiments.speed.kernel_timing import Spread

LARGE, SMALL = Shape("", 14, 14, 64, 384), Shape("", 7, 7, 32, 32)


def kernel(share, n=8, sparsity=0.5, isa="avx512", shape=LARGE, microseconds=10.0):
    """A kernel that reaches a share of a peak of 100 GMAC/s."""
    return KernelResult(
        shape=shape,
        pixels=shape.pixels,
        n=n,
        sparsity=sparsity,
        isa=isa,
        microseconds=Spread(microseconds, microseconds, microseconds),
        gmacs=Spread(100 * share, 100 * share, 100 * share),
        peak=100.0,
        share_of_peak=Spread(share, share, share),
        dense=Spread(2 * share, share, 3 * share),
        reference=Spread(10, 9, 11),
        scipy=None if n is None else Spread(5, 4, 6),
    )
