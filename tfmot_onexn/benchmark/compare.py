"""Builds the variants of a network and measures them side by side."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import tf_keras

from tfmot_onexn.benchmark import accuracy, artifacts
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark import runtimes as runtimes_lib
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import AGREES, AGREES_TRAINED, Agreement, Row
from tfmot_onexn.networks import random_weights
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert
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
    runtimes: Sequence[str] = (),
) -> tuple[Row, list[Agreement]]:
    """Prunes a model without training, converts it and checks the file.

    Args:
      model: dense; it is not changed.
      variant: how to prune it.
      path: of the `.tflite` to write.
      seed: of the images that the check uses.
      runtimes: with the delegate among them, the file is checked with it too; for
        those of TVM it is built, see `artifacts.built_for`, and checked in them.

    Returns:
      What is known of the file, and what the checks found.
    """
    prepared = variant.prepare(model)
    final = variant.finish(variant.prune(prepared))
    convert.convert_to_tflite(final, path)
    row = dataclasses.replace(artifacts.row_of(path), **variant.row())
    row.seed = seed
    images = random_weights.random_images(model, _AGREEMENT_IMAGES, seed)
    features = [(row, accuracy.file_features(path, images))]
    if any(runtimes_lib.split(name)[1] for name in runtimes):
        with_delegate = dataclasses.replace(row, delegate=delegate_lib.NAME)
        found = accuracy.file_features(path, images, delegate={})
        features.append((with_delegate, found))
    for runtime in filter(runtimes_lib.is_tvm, runtimes):
        artifacts.built_for(path, runtime)
        in_tvm = dataclasses.replace(row, runtime=runtime)
        found = accuracy.build_features(path, images, runtime=runtime)
        features.append((in_tvm, found))
    own, of_dense = (
        accuracy.feature_model(each)(images, training=False).numpy()
        for each in (final, prepared)
    )
    agreements = [
        Agreement(
            computed.label_at_sparsity,
            accuracy.relative_error(found, own),
            accuracy.relative_error(found, of_dense),
            told_apart=variant.method != "dense",
        )
        for computed, found in features
    ]
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
      directory: for the `.tflite` files and the TVM builds.
      weights: where the model's weights come from, for the rows.
      runtimes: see `runtimes.split`; those of TVM have each variant built for them,
        "tvm" stands for all of these.
      dataset: to test on in the first of TFLite, without the delegate; or None.
      threads: of the runtimes.
      runs: timed inferences of each artifact.
      seed: of check images and of the order of turns.
      track: shows progress.

    Returns:
      One row per variant and runtime; one agreement per variant, and one more each
      with the delegate and in the runtimes of TVM if they are asked for.
    """
    runtimes = runtimes_lib.expanded(runtimes)
    stock = _stock(runtimes)
    built = []
    shown = track(variants, len(variants), "Pruning, converting, checking")
    for index, variant in enumerate(shown):
        path = directory / f"{index}-{variant.method}.tflite"
        row, agreements = build(model, variant, path, seed, runtimes)
        row.model, row.weights = model.name, weights
        if dataset is not None:
            shares = accuracy.of_file(path, dataset, runtime=stock)
            row.top1, row.top5, row.images = shares.top1, shares.top5, shares.images
        built.append((row, agreements, path))
    rows = artifacts.time_rows(
        [_untimed(row, path, r) for row, _, path in built for r in runtimes],
        threads=threads,
        runs=runs,
        seed=seed,
        track=track,
    )
    bound = AGREES if weights == "random" else AGREES_TRAINED
    found = [each for _, of_variant, _ in built for each in of_variant]
    agreements = [dataclasses.replace(each, bound=bound) for each in found]
    return Comparison(machine_lib.describe(), rows, agreements)


def _stock(runtimes: Sequence[str]) -> str:
    """Returns the first runtime of TFLite; raises ValueError if one is not there."""
    found = [runtimes_lib.split(name)[0] for name in runtimes]
    return [*(name for name in found if not runtimes_lib.is_tvm(name)), "tflite"][0]


def _untimed(row: Row, path: pathlib.Path, runtime: str) -> tuple[Row, str, str]:
    """Returns a row of what a runtime runs: the `.tflite`, or the build beside it."""
    if not runtimes_lib.is_tvm(runtime):
        return dataclasses.replace(row), str(path), runtime
    built = path.with_suffix(runtimes_lib.BUILDS[runtime][1])
    told = artifacts.row_of(built)
    of_build = dataclasses.replace(
        row, artifact=told.artifact, size_bytes=told.size_bytes
    )
    return of_build, str(built), runtime
