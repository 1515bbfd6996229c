"""How fast the delegate's 1x1 convolutions are, beside three others.

For each shape, n, sparsity and ISA: multiply-accumulates of non-zero weights per
second, and what share of the processor's peak that is. Beside it stand XNNPACK on the
dense layer (a `.tflite` of one layer in LiteRT), the plain loops of the delegate's
reference kernel, and SciPy's BSR product, without bias and activation. All use one
thread and take turns, the peak's measurement too.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse
import tf_keras

from tfmot_onexn.benchmark import delegate_kernels, shapes
from tfmot_onexn.benchmark.delegate_kernels import REFERENCE, Library, Pointwise
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.shapes import Shape
from tfmot_onexn.networks import random_weights
from tfmot_onexn.sparsity import bsr, masks
from tfmot_onexn.tflite import convert, interpreter

NETWORKS = ("mobilenet", "mobilenet_v2", "mobilenet_v3_large")
# (n, sparsity) of all shapes, and of some
CASES = tuple((n, p) for n in (16, 8, 4) for p in (0.5, 0.75, 0.9))
MORE_CASES = tuple((n, p) for n in (32, 2, 1) for p in (0.5, 0.75, 0.9))
_EVERY = 6
_ROUNDS = 10
# of a turn: about so long, so many runs
_TURN_SECONDS, _MIN_RUNS, _MAX_RUNS = 1e-3, 1, 50
_TOLERANCE = 1e-5

# runs something so many times, returns the seconds of each
Timed = Callable[[int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and percentiles over the rounds."""

    median: float
    p10: float
    p90: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Spread":
        p10, median, p90 = np.percentile(values, (10, 50, 90))
        return cls(float(median), float(p10), float(p90))


@dataclasses.dataclass(frozen=True)
class KernelResult:
    """What was measured of a kernel.

    Attributes:
      shape: of the layer.
      pixels: of its output, P.
      n: output channels per block.
      sparsity: share of blocks that are zero.
      isa: that computed it.
      gmacs: 1e9 multiply-accumulates of non-zero weights per second.
      peak: what the ISA does from registers, in the same unit.
      share_of_peak: of each round.
      dense: XNNPACK's time on the dense layer over the kernel's, of each round.
      reference: the reference kernel's time over it.
      scipy: SciPy's time over it.
    """

    shape: Shape
    pixels: int
    n: int
    sparsity: float
    isa: str
    gmacs: Spread
    peak: float
    share_of_peak: Spread
    dense: Spread
    reference: Spread
    scipy: Spread

    @property
    def targeted(self) -> bool:
        """Whether it is of a size that the project has a goal for."""
        return min(self.shape.inputs, self.shape.outputs) >= 64 and self.pixels >= 196


def default_shapes() -> list[Shape]:
    """Returns the shapes to measure: of more than a pixel, whose call takes no time."""
    listed = [shape for network in NETWORKS for shape in shapes.of(network)]
    return [shape for shape in shapes.distinct(listed) if shape.pixels > 1]


def measure(
    library: Library,
    measured: Sequence[Shape],
    cases: Sequence[tuple[int, float]] = CASES,
    more_cases: Sequence[tuple[int, float]] = MORE_CASES,
    *,
    rounds: int = _ROUNDS,
    seed: int = 0,
    track: Track = untracked,
) -> list[KernelResult]:
    """Measures kernels.

    Args:
      library: that has them.
      measured: shapes.
      cases: n and sparsity; n that does not divide a shape's M is left out.
      more_cases: further ones of every sixth shape.
      rounds: turns of each kernel.
      seed: of weights, images and the order of turns.
      track: shows progress.
    """
    isas = library.isas()
    found = []
    for index, shape in enumerate(track(measured, len(measured), "Timing kernels")):
        of_shape = [*cases, *(more_cases if index % _EVERY == 0 else ())]
        fitting = [(n, p) for n, p in of_shape if shape.outputs % n == 0]
        found += _Bench(library, isas, shape, fitting, seed).run(rounds)
    return found


class _Bench:
    """What takes turns on one shape."""

    def __init__(
        self,
        library: Library,
        isas: Sequence[str],
        shape: Shape,
        cases: Sequence[tuple[int, float]],
        seed: int,
    ):
        self._shape, self._isas, self._cases = shape, isas, cases
        self._rng = np.random.default_rng(seed)
        self._images = self._rng.normal(
            size=(1, shape.height, shape.width, shape.inputs)
        ).astype(np.float32)
        self._bias = self._rng.normal(size=shape.outputs).astype(np.float32)
        self._timed: dict[Any, Timed] = {"dense": self._dense()}
        self._kept: dict[tuple[int, float], bsr.BSR] = {}
        for n, sparsity in cases:
            self._add(library, n, sparsity)
        self._peaks: dict[str, Callable[[], float]] = {
            isa: functools.partial(library.peak, isa) for isa in isas
        }

    def _add(self, library: Library, n: int, sparsity: float) -> None:
        shape = self._shape
        kernel_io = self._rng.normal(size=(shape.inputs, shape.outputs))
        kernel_io *= masks.block_mask(kernel_io, n, sparsity)
        kept = bsr.encode(kernel_io.astype(np.float32), n)
        self._kept[n, sparsity] = kept
        product = _ScipyProduct(kept, self._images[0], shape)
        expected = np.clip(product() + self._bias, 0, 6)
        self._timed["scipy", n, sparsity] = functools.partial(_seconds, product)
        for isa in (*self._isas, REFERENCE):
            layer = Pointwise(
                library, isa, kept, self._bias, self._images, shape.stride
            )
            error = np.abs(layer()[0] - expected).max() / np.abs(expected).max()
            if not error <= _TOLERANCE:
                raise ValueError(
                    f"The {isa} kernel of {shape} with n = {n} is {error:.1e} off "
                    f"SciPy's product; expected {_TOLERANCE:.0e} at most."
                )
            self._timed[isa, n, sparsity] = layer.seconds

    def _dense(self) -> Timed:
        """Returns XNNPACK's layer."""
        shape = self._shape
        model = tf_keras.Sequential(
            [
                tf_keras.layers.Input(self._images.shape[1:], 1),
                tf_keras.layers.Conv2D(
                    shape.outputs, 1, shape.stride, activation="relu6"
                ),
            ]
        )
        random_weights.randomize(model)
        module = interpreter.module_of("litert")
        loaded = module.Interpreter(
            model_content=convert.convert_to_tflite(model), num_threads=1
        )
        loaded.allocate_tensors()
        loaded.set_tensor(loaded.get_input_details()[0]["index"], self._images)
        return functools.partial(_seconds, loaded.invoke)

    def run(self, rounds: int) -> list[KernelResult]:
        """Lets all take turns; returns a result for each kernel of the delegate."""
        runs = {
            name: int(np.clip(_TURN_SECONDS / timed(2).min(), _MIN_RUNS, _MAX_RUNS))
            for name, timed in self._timed.items()
        }
        seconds: dict[Any, list[float]] = {name: [] for name in self._timed}
        peaks: dict[str, list[float]] = {isa: [] for isa in self._isas}
        for _ in range(rounds):
            for isa, peak in self._peaks.items():
                peaks[isa].append(peak())
            names = list(self._timed)
            for index in self._rng.permutation(len(names)):
                name = names[index]
                # the first brings weights and images back into the cache
                taken = self._timed[name](1 + runs[name])[1:]
                seconds[name].append(float(np.median(taken)))
        arrays = {name: np.array(taken) for name, taken in seconds.items()}
        return [
            self._result(case, isa, arrays, np.array(peaks[isa]))
            for case in self._cases
            for isa in self._isas
        ]

    def _result(
        self,
        case: tuple[int, float],
        isa: str,
        seconds: dict[Any, np.ndarray],
        peaks: np.ndarray,
    ) -> KernelResult:
        n, sparsity = case
        own = seconds[isa, n, sparsity]
        gmacs = self._kept[case].data.size * self._shape.pixels / own / 1e9
        return KernelResult(
            shape=self._shape,
            pixels=self._shape.pixels,
            n=n,
            sparsity=sparsity,
            isa=isa,
            gmacs=Spread.of(gmacs),
            peak=float(np.median(peaks)),
            share_of_peak=Spread.of(gmacs / peaks),
            dense=Spread.of(seconds["dense"] / own),
            reference=Spread.of(seconds[REFERENCE, n, sparsity] / own),
            scipy=Spread.of(seconds["scipy", n, sparsity] / own),
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


def _seconds(call: Callable[[], Any], runs: int) -> np.ndarray:
    """Returns the seconds of so many calls."""
    found = np.empty(runs)
    for run in range(runs):
        start = time.perf_counter_ns()
        call()
        found[run] = (time.perf_counter_ns() - start) / 1e9
    return found
