"""Prunes a network after training, layer by layer, on images without labels.

Two networks see the same images: the dense one, which tells what each layer should
make, and the pruned one, whose inputs the layer really gets. So every layer also makes
up for what those before it have lost.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import rich.console
import rich.progress
import tf_keras

from tfmot_onexn.graph import calls as calls_lib
from tfmot_onexn.graph import surgery
from tfmot_onexn.pruning.calibration import folding, samples, solve, units
from tfmot_onexn.pruning.calibration.folding import Linear
from tfmot_onexn.pruning.calibration.settings import Calibration, LayerReport
from tfmot_onexn.pruning.calibration.statistics import RowStatistics, TapStatistics
from tfmot_onexn.pruning.calibration.streams import Streams
from tfmot_onexn.pruning.calibration.units import Unit
from tfmot_onexn.sparsity.masks import Pattern

Layer: TypeAlias = tf_keras.layers.Layer

# enough for the few taps of a channel
_TAP_SAMPLES = 4000


def calibrated_weights(
    model: tf_keras.Model,
    pattern: Pattern,
    sparsities: Mapping[Layer, float],
    calibration: Calibration,
) -> dict[Layer, list[np.ndarray]]:
    """Returns the weights of the layers that change when a network is pruned.

    Args:
      model: dense, with a graph, its filters in the order to prune them in. It is not
        changed.
      pattern: of the blocks.
      sparsities: the layers to prune, and the share of blocks that go.
      calibration: images, and what to do with them.

    Returns:
      Weights in `Layer.get_weights` order. Those of pruned kernels are zero where their
      blocks are pruned, and nowhere else but by chance.

    Raises:
      ValueError: naming a layer that cannot be solved for, or what the images lack.
    """
    images = calibration.chosen_images(model)
    calls = calls_lib.of_model(model)
    found = units.find(calls, {id(layer) for layer in sparsities})
    streams = Streams(calls, images, calibration.batch_size)
    solver = _Solver(pattern, calibration, streams)
    if calibration.resolve in ("pruned", "none"):
        found = [unit for unit in found if unit.layer in sparsities]
    for unit in _track(found, "Calibrating layers", calibration.verbose):
        report = solver.solve(unit, sparsities.get(unit.layer, 0.0))
        if report is not None and calibration.on_layer is not None:
            calibration.on_layer(report)
    return {layer: twin.get_weights() for layer, twin in solver.twins.items()}


def dense_statistics(
    model: tf_keras.Model, pruned: Sequence[Layer], calibration: Calibration
) -> Iterator[tuple[Layer, np.ndarray, RowStatistics]]:
    """Yields what the dense network tells of the layers that will be pruned.

    Args:
      model: dense, with a graph.
      pruned: layers of it.
      calibration: images, and how to look at them.

    Yields:
      The layer, its kernel with its BatchNormalization ``[K, M]``, and its statistics.

    Raises:
      ValueError: as `calibrated_weights`.
    """
    images = calibration.chosen_images(model)
    calls = calls_lib.of_model(model)
    wanted = {id(layer) for layer in pruned}
    found = [u for u in units.find(calls, wanted) if id(u.layer) in wanted]
    streams = Streams(calls, images, calibration.batch_size)
    for unit in _track(found, "Looking at layers", calibration.verbose):
        dense = folding.fold(unit.layer, unit.norm)
        rows = samples.rows(
            unit, dense, streams, calibration.pixels, (calibration.seed,)
        )
        statistics = RowStatistics(rows, calibration.ridge, centred=_biased(unit))
        yield unit.layer, dense.kernel_km, statistics


class _Solver:
    """Solves unit after unit.

    Attributes:
      twins: the layers that change, and those that take their places.
    """

    def __init__(self, pattern: Pattern, settings: Calibration, streams: Streams):
        self._pattern, self._settings, self._streams = pattern, settings, streams
        self.twins: dict[Layer, Layer] = {}

    def solve(self, unit: Unit, sparsity: float) -> LayerReport | None:
        """Gives a unit its weights; returns None if it keeps those it has."""
        dense = folding.fold(unit.layer, unit.norm)
        seed, pixels = (self._settings.seed,), self._settings.pixels
        if unit.depthwise:
            pixels = min(pixels, -(-_TAP_SAMPLES // self._streams.count))
            taps = samples.taps(unit, dense, self._streams, pixels, seed)
            return self._solve_taps(unit, dense, taps) if taps.differ else None
        rows = samples.rows(unit, dense, self._streams, pixels, seed)
        if not rows.differ and not sparsity:
            return None
        return self._solve_rows(unit, dense, rows, sparsity)

    def _solve_rows(
        self, unit: Unit, dense: Linear, rows: samples.Rows, sparsity: float
    ) -> LayerReport | None:
        settings = self._settings
        statistics = RowStatistics(rows, settings.ridge, centred=_biased(unit))
        kept_km = self._kept(unit, dense, statistics, sparsity)
        solved = Linear(dense.kernel_km * kept_km, dense.bias_m)
        if settings.resolve in ("all", "pruned"):
            solved = solve.solve_rows(
                dense.kernel_km,
                statistics,
                kept_km,
                unit.bounds,
                settings.relu_steps,
            )
            self._write(unit, solved, statistics)
        elif settings.resolve == "batch_norm" and unit.norm is not None:
            solved, stretch_m = solve.match_rows(dense.kernel_km, statistics, kept_km)
            self._write(unit, solved, statistics, stretch_m)
        elif sparsity:
            twin = self._twin(unit.layer)
            kernel = twin.get_weights()[0]
            twin.set_weights(
                [kernel * kept_km.reshape(kernel.shape), *twin.get_weights()[1:]]
            )
        else:
            return None
        return LayerReport(
            unit.layer.name,
            1 - float(kept_km.mean()),
            statistics.error(solved.kernel_km),
        )

    def _kept(
        self, unit: Unit, dense: Linear, statistics: RowStatistics, sparsity: float
    ) -> np.ndarray:
        """Returns which weights ``[K, M]`` stay."""
        if not sparsity:
            return np.ones(dense.kernel_km.shape, bool)
        if not self._settings.second_order:
            return self._pattern.mask(folding.kernel_of(unit.layer), sparsity)
        return solve.kept_by_second_order(
            dense.kernel_km,
            statistics,
            self._pattern.n,
            sparsity,
            uniform=self._pattern.uniform,
        )

    def _solve_taps(
        self, unit: Unit, dense: Linear, taps: samples.Taps
    ) -> LayerReport | None:
        statistics = TapStatistics(taps)
        stretch_c = None
        if self._settings.resolve == "all":
            solved = solve.solve_taps(
                dense,
                statistics,
                self._settings.ridge,
                unit.bounds,
                self._settings.relu_steps,
                biased=_biased(unit),
            )
        elif unit.norm is not None:
            solved, stretch_c = solve.match_taps(dense, statistics)
        else:
            return None
        self._write(unit, solved, statistics, stretch_c)
        error = statistics.error(solved.kernel_km, solved.bias_m)
        return LayerReport(unit.layer.name, 0.0, error)

    def _write(
        self,
        unit: Unit,
        solved: Linear,
        statistics: RowStatistics | TapStatistics,
        stretch_m: np.ndarray | None = None,
    ) -> None:
        twin, norm, scale_m = self._twin(unit.layer), None, None
        if unit.norm is not None:
            norm = self._twin(unit.norm)
            if stretch_m is not None:
                scale_m = folding.scale_and_offset(norm)[0] * stretch_m
        folding.unfold(twin, norm, solved, statistics.moments, scale_m)

    def _twin(self, layer: Layer) -> Layer:
        twin = surgery.copy_layer(layer)
        twin.build_from_config(layer.get_build_config())
        twin.set_weights(layer.get_weights())
        self._streams.replace(layer, twin)
        self.twins[layer] = twin
        return twin


def _biased(unit: Unit) -> bool:
    return unit.norm is not None or unit.layer.use_bias


def _track(found: Sequence[Unit], text: str, verbose: bool) -> Iterator[Unit]:
    """Shows a progress bar with the time that is left."""
    yield from rich.progress.track(
        found,
        text,
        console=rich.console.Console(stderr=True),
        transient=True,
        disable=not (verbose and sys.stderr.isatty()),
    )
