"""How fast single 1x1 convolutions are, the delegate's or TVM's, beside others.

For each shape, n, sparsity and ISA: multiply-accumulates of non-zero weights per
second, and what share of the processor's peak that is. Beside it stand XNNPACK on the
dense layer (a `.tflite` of one layer in LiteRT), SciPy's BSR product, without bias and
activation, and for the delegate the plain loops of its reference kernel. All use one
thread and take turns, the peak's measurement too.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import tf_keras

from tfmot_onexn.benchmark import delegate_kernels, shapes
from tfmot_onexn.benchmark.delegate_kernels import REFERENCE
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.experiments.speed.kernel_providers import Provider
from tfmot_onexn.experiments.speed.kernel_timing import (
    Spread,
    Timed,
    in_litert,
    require_equal,
    seconds_of,
    take_turns,
)
from tfmot_onexn.sparsity import bsr, masks

NETWORKS = ("mobilenet", "mobilenet_v2", "mobilenet_v3_large")
# n, None for all blocks stored, and sparsity
Case = tuple[int | None, float]
DENSE: Case = (None, 0.0)
# of all shapes, and of some
CASES: tuple[Case, ...] = tuple((n, p) for n in (16, 8, 4) for p in (0.5, 0.75, 0.9))
MORE_CASES: tuple[Case, ...] = tuple(
    (n, p) for n in (32, 2, 1) for p in (0.5, 0.75, 0.9)
)
_EVERY = 6
_ROUNDS = 10


@dataclasses.dataclass(frozen=True)
class KernelResult:
    """What was measured of a kernel.

    Attributes:
      shape: of the layer.
      pixels: of its output, P.
      n: output channels per block, None where all blocks are stored.
      sparsity: share of blocks that are zero.
      isa: that computed it.
      microseconds: of a run.
      gmacs: 1e9 multiply-accumulates of non-zero weights per second.
      peak: what the ISA does from registers, in the same unit.
      share_of_peak: of each round.
      dense: XNNPACK's time on the dense layer over the kernel's, of each round.
      reference: the reference kernel's time over it, if there is one.
      scipy: SciPy's time over it, None where all blocks are stored.
    """

    shape: Shape
    pixels: int
    n: int | None
    sparsity: float
    isa: str
    microseconds: Spread
    gmacs: Spread
    peak: float
    share_of_peak: Spread
    dense: Spread
    reference: Spread | None
    scipy: Spread | None

    @property
    def targeted(self) -> bool:
        """Whether it is of a size that the project has a goal for."""
        return is_targeted(self.shape)


def is_targeted(shape: Shape) -> bool:
    """Whether a shape is of a size that the project has a goal for."""
    return min(shape.inputs, shape.outputs) >= 64 and shape.pixels >= 196


def default_shapes() -> list[Shape]:
    """Returns the shapes to measure: of more than a pixel, whose call takes no time."""
    listed = [shape for network in NETWORKS for shape in shapes.of(network)]
    return [shape for shape in shapes.distinct(listed) if shape.pixels > 1]


def listed(
    shapes_: Sequence[Shape],
    cases: Sequence[Case] = CASES,
    more_cases: Sequence[Case] = MORE_CASES,
    is_more: Callable[[int, Shape], bool] = lambda index, _: index % _EVERY == 0,
) -> list[tuple[Shape, list[Case]]]:
    """Returns shapes with their cases; n that does not divide M is left out.

    Args:
      shapes_: in order.
      cases: of all shapes.
      more_cases: of some.
      is_more: whether they are of a shape, by its index.
    """
    found = []
    for index, shape in enumerate(shapes_):
        of_shape = [*cases, *(more_cases if is_more(index, shape) else ())]
        fitting = [(n, p) for n, p in of_shape if shape.outputs % (n or 1) == 0]
        found.append((shape, fitting))
    return found


def measure(
    provider: Provider,
    cases: Sequence[tuple[Shape, Sequence[Case]]],
    *,
    rounds: int = _ROUNDS,
    seed: int = 0,
    track: Track = untracked,
) -> list[KernelResult]:
    """Measures kernels.

    Args:
      provider: of kernels.
      cases: of each shape; see `listed`.
      rounds: turns of each kernel.
      seed: of weights, images and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if a kernel computes something else than SciPy.
    """
    return [
        result
        for shape, of_shape in track(cases, len(cases), "Timing kernels")
        for result in _Bench(provider, shape, of_shape, seed).run(rounds)
    ]


class _Bench:
    """What takes turns on one shape."""

    def __init__(
        self, provider: Provider, shape: Shape, cases: Sequence[Case], seed: int
    ):
        self._provider, self._shape, self._cases = provider, shape, cases
        self._rng = np.random.default_rng(seed)
        self._images = self._rng.normal(
            size=(1, shape.height, shape.width, shape.inputs)
        ).astype(np.float32)
        self._bias = self._rng.normal(size=shape.outputs).astype(np.float32)
        layer = tf_keras.layers.Conv2D(
            shape.outputs, 1, shape.stride, activation="relu6"
        )
        self._timed: dict[Any, Timed] = {
            "dense": in_litert(layer, self._images).seconds
        }
        self._kept: dict[Case, bsr.BSR] = {}
        for n, sparsity in cases:
            self._add(n, sparsity)

    def _add(self, n: int | None, sparsity: float) -> None:
        shape = self._shape
        kernel_io = self._rng.normal(size=(shape.inputs, shape.outputs))
        if n is not None:
            kernel_io *= masks.block_mask(kernel_io, n, sparsity)
        kernel_io = kernel_io.astype(np.float32)
        kept = bsr.encode(kernel_io, n or math.gcd(shape.outputs, 16))
        self._kept[n, sparsity] = kept
        product = _ScipyProduct(kept, self._images[0], shape)
        expected = np.clip(product() + self._bias, 0, 6)
        if n is not None:
            self._timed["scipy", n, sparsity] = functools.partial(seconds_of, product)
        for name in self._provider.names:
            layer = self._provider.pointwise(
                name, kernel_io, kept, self._bias, self._images, shape.stride
            )
            what = f"The {name} kernel of {shape} with n = {n}, beside SciPy's product,"
            require_equal(layer()[0], expected, what)
            self._timed[name, n, sparsity] = layer.seconds

    def run(self, rounds: int) -> list[KernelResult]:
        """Lets all take turns; returns a result for each kernel on an ISA."""
        isas = self._provider.isas
        peaks: dict[str, list[float]] = {isa: [] for isa in isas}

        def measure_peaks() -> None:
            for isa, measured in peaks.items():
                measured.append(self._provider.peak(isa))

        seconds = take_turns(self._timed, rounds, self._rng, measure_peaks)
        return [
            self._result(case, isa, seconds, np.array(peaks[isa]))
            for case in self._cases
            for isa in isas
        ]

    def _result(
        self, case: Case, isa: str, seconds: dict[Any, np.ndarray], peaks: np.ndarray
    ) -> KernelResult:
        n, sparsity = case
        own = seconds[isa, n, sparsity]
        gmacs = self._kept[case].data.size * self._shape.pixels / own / 1e9

        def over(name: str) -> Spread | None:
            other = seconds.get((name, n, sparsity))
            return None if other is None else Spread.of(other / own)

        return KernelResult(
            shape=self._shape,
            pixels=self._shape.pixels,
            n=n,
            sparsity=sparsity,
            isa=isa,
            microseconds=Spread.of(1e6 * own),
            gmacs=Spread.of(gmacs),
            peak=float(np.median(peaks)),
            share_of_peak=Spread.of(gmacs / peaks),
            dense=Spread.of(seconds["dense"] / own),
            reference=over(REFERENCE),
            scipy=over("scipy"),
        )


class _ScipyProduct:
    """SciPy's product of a BSR matrix ``[M, K]`` and the pixels, in its own layout."""

    def __init__(self, kept: bsr.BSR, image_hwk: np.ndarray, shape: Shape):
        pixels_hwk = image_hwk[:: shape.stride, :: shape.stride]
        self._pixels_kp = delegate_kernels.aligned(
            pixels_hwk.reshape(shape.pixels, shape.inputs).T
        )
        self._matrix = scipy.sparse.bsr_array(
            (kept.data[..., None], kept.indices, kept.indptr),
            shape=(shape.outputs, shape.inputs),
        )
        self._size = (*shape.output_size, shape.outputs)

    def __call__(self) -> np.ndarray:
        return (self._matrix @ self._pixels_kp).T.reshape(self._size)
