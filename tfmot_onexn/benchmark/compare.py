"""Builds the variants of a network and measures them side by side."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import tf_keras

from tfmot_onexn.benchmark import accuracy, artifacts
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import AGREES_TRAINED, Agreement, Row
from tfmot_onexn.networks import random_weights
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert

_AGREEMENT_IMAGES = 2


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` measured."""

    machine: dict[str, Any]
    rows: list[Row]
    agreements: list[Agreement]


def build(
    model: tf_keras.Model, variant: Variant, path: pathlib.Path, seed: int = 0
) -> tuple[Row, Agreement]:
    """Prunes a model without training, converts it and checks the file.

    Args:
      model: dense; it is not changed.
      variant: how to prune it.
      path: of the `.tflite` to write.
      seed: of the images that the check uses.
    """
    prepared = variant.prepare(model)
    final = variant.finish(variant.prune(prepared))
    convert.convert_to_tflite(final, path)
    row = dataclasses.replace(artifacts.row_of(path), **variant.row())
    row.seed = seed
    images = random_weights.random_images(model, _AGREEMENT_IMAGES, seed)
    return row, Agreement(
        row.label_at_sparsity,
        accuracy.agreement(final, path, images),
        accuracy.agreement(prepared, path, images),
    )


def compare(
    model: tf_keras.Model,
    variants: Sequence[Variant],
    directory: pathlib.Path,
    *,
    weights: str = "random",
    runtimes: Sequence[str] = ("tflite",),
    dataset: Dataset | None = None,
    threads: int = 1,
    runs: int = 50,
    seed: int = 0,
    track: Track = untracked,
) -> Comparison:
    """Compares variants of a network in size, latency and perhaps accuracy.

    Nothing is trained: accuracies are those right after pruning.

    Args:
      model: dense; it is not changed.
      variants: what to build; the first dense one is the base of the speed-ups.
      directory: for the `.tflite` files.
      weights: where the model's weights come from, for the rows.
      runtimes: TFLite runtimes, see `tflite.interpreter`.
      dataset: to test on, or None.
      threads: of the runtimes.
      runs: timed inferences of each artifact.
      seed: of check images and of the order of turns.
      track: shows progress.

    Returns:
      One row per variant and runtime, one agreement per variant.
    """
    built = []
    for index, variant in enumerate(
        track(variants, len(variants), "Pruning and converting")
    ):
        path = directory / f"{index}-{variant.method}.tflite"
        row, agreement = build(model, variant, path, seed)
        row.model, row.weights = model.name, weights
        if weights != "random":
            agreement = dataclasses.replace(agreement, bound=AGREES_TRAINED)
        if dataset is not None:
            found = accuracy.of_file(path, dataset, runtime=runtimes[0])
            row.top1, row.top5, row.images = found.top1, found.top5, found.images
        built.append((row, agreement, str(path)))
    pairs = [(row, path, r) for row, _, path in built for r in runtimes]
    rows = artifacts.time_rows(
        [(dataclasses.replace(row), path, runtime) for row, path, runtime in pairs],
        threads=threads,
        runs=runs,
        seed=seed,
        track=track,
    )
    return Comparison(
        machine_lib.describe(), rows, [agreement for _, agreement, _ in built]
    )
