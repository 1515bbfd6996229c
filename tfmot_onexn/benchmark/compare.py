"""Builds the variants of a network and measures them side by side."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import tf_keras

from tfmot_onexn.benchmark import accuracy, artifacts
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import AGREES, AGREES_TRAINED, Agreement, Row
from tfmot_onexn.networks import random_weights
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert, interpreter
from tfmot_onexn.tflite import delegate as delegate_lib

_AGREEMENT_IMAGES = 2


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What `compare` measured."""

    machine: dict[str, Any]
    rows: list[Row]
    agreements: list[Agreement]


def build(
    model: tf_keras.Model,
    variant: Variant,
    path: pathlib.Path,
    seed: int = 0,
    *,
    delegate: bool = False,
) -> tuple[Row, list[Agreement]]:
    """Prunes a model without training, converts it and checks the file.

    Args:
      model: dense; it is not changed.
      variant: how to prune it.
      path: of the `.tflite` to write.
      seed: of the images that the check uses.
      delegate: check the file with the delegate too.

    Returns:
      What is known of the file, and what the checks found.
    """
    prepared = variant.prepare(model)
    final = variant.finish(variant.prune(prepared))
    convert.convert_to_tflite(final, path)
    row = dataclasses.replace(artifacts.row_of(path), **variant.row())
    row.seed = seed
    images = random_weights.random_images(model, _AGREEMENT_IMAGES, seed)
    agreements = []
    for with_delegate in (False, True) if delegate else (False,):
        used = delegate_lib.NAME if with_delegate else None
        options: interpreter.Delegate = {} if with_delegate else False
        own, of_dense = (
            accuracy.agreement(other, path, images, delegate=options)
            for other in (final, prepared)
        )
        agreements.append(
            Agreement(
                dataclasses.replace(row, delegate=used).label_at_sparsity,
                own,
                of_dense,
                told_apart=variant.method != "dense",
            )
        )
    return row, agreements


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
      runtimes: TFLite runtimes, see `interpreter.split_runtime`.
      dataset: to test on in the first of them, without the delegate; or None.
      threads: of the runtimes.
      runs: timed inferences of each artifact.
      seed: of check images and of the order of turns.
      track: shows progress.

    Returns:
      One row per variant and runtime; one agreement per variant, and one more with the
      delegate if a runtime has it.
    """
    stock, with_delegate = zip(*map(interpreter.split_runtime, runtimes), strict=True)
    built = []
    for index, variant in enumerate(
        track(variants, len(variants), "Pruning and converting")
    ):
        path = directory / f"{index}-{variant.method}.tflite"
        row, agreements = build(model, variant, path, seed, delegate=any(with_delegate))
        row.model, row.weights = model.name, weights
        if dataset is not None:
            found = accuracy.of_file(path, dataset, runtime=stock[0])
            row.top1, row.top5, row.images = found.top1, found.top5, found.images
        built.append((row, agreements, str(path)))
    pairs = [(row, path, r) for row, _, path in built for r in runtimes]
    rows = artifacts.time_rows(
        [(dataclasses.replace(row), path, runtime) for row, path, runtime in pairs],
        threads=threads,
        runs=runs,
        seed=seed,
        track=track,
    )
    bound = AGREES if weights == "random" else AGREES_TRAINED
    agreements = [
        dataclasses.replace(each, bound=bound)
        for _, found, _ in built
        for each in found
    ]
    return Comparison(machine_lib.describe(), rows, agreements)
