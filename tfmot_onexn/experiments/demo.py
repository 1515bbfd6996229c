"""The main job on data that ships with a dependency, from training to the report.

A small MobileNetV2 learns scikit-learn's handwritten digits, is pruned in each way,
fine-tuned, converted and tested from its `.tflite` file. At 32x32 pixels it runs in
some 50 µs, too short to time, so size and latency are those of MobileNetV2 at 224x224,
pruned in the same ways.
"""

import dataclasses
import pathlib
import tempfile
import time
from typing import Any

import rich.console
import rich.progress
import tf_keras

from tfmot_onexn.benchmark import accuracy, compare, report
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.networks import datasets, models
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fine_tune
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert

TITLE = "MobileNetV2 pruned by half"
VARIANTS = (
    Variant("dense"),
    Variant("weight"),
    Variant("filter"),
    Variant("onexn", rearrange="none"),
    Variant("onexn", rearrange="swaps"),
)
_RUNTIMES = ("tflite", "tflite+delegate")
_ACCURACY_NOTE = (
    "Accuracy: MobileNetV2 0.35 at 32×32 on {images} handwritten digits that it was "
    "not trained on; every variant was fine-tuned for {epochs} epochs. One seed: "
    "differences of one or two points say nothing. Size and latency: MobileNetV2 "
    "{alpha} at {size}×{size} with random weights, one thread."
)


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long to train and to measure.

    Attributes:
      epochs: of the dense network from random weights.
      tuning_epochs: of every variant.
      runs: timed inferences of each file.
      timed_size: height and width of the images of the network that is timed.
      timed_alpha: its width multiplier.
    """

    epochs: int = 25
    tuning_epochs: int = 10
    runs: int = 100
    timed_size: int = 224
    timed_alpha: float = 1.0


QUICK = Budget(epochs=2, tuning_epochs=1, runs=20)


def run(
    directory: pathlib.Path,
    *,
    budget: Budget = Budget(),
    seed: int = 0,
    console: rich.console.Console | None = None,
) -> list[Row]:
    """Does the whole job, prints the table and writes the report.

    Args:
      directory: for the report.
      budget: how long to train and to measure.
      seed: of weights, data and order.
      console: where to print.

    Returns:
      The table's rows: accuracy of the digit network, size and latency of the other.
    """
    console = console or rich.console.Console()
    started = time.perf_counter()
    tf_keras.utils.set_random_seed(seed)
    dataset = datasets.digits(seed=seed)
    with tempfile.TemporaryDirectory() as folder, _progress(console) as progress:
        trained = _train_dense(dataset, budget, seed, progress)
        files = pathlib.Path(folder)
        accuracies = [
            _accuracy_row(trained, variant, dataset, budget, seed, files, progress)
            for variant in VARIANTS
        ]
        timed_network = models.build(
            "mobilenet_v2",
            input_shape=(budget.timed_size, budget.timed_size, 3),
            alpha=budget.timed_alpha,
            seed=seed,
        )
        comparison = compare.compare(
            timed_network,
            VARIANTS,
            files,
            runtimes=_RUNTIMES,
            runs=budget.runs,
            seed=seed,
            track=lambda items, total, text: progress.track(
                items, total, description=text
            ),
        )
    rows = _table_rows(comparison.rows, accuracies)
    seconds = time.perf_counter() - started
    note = _ACCURACY_NOTE.format(
        images=len(dataset.test_labels),
        epochs=budget.tuning_epochs,
        alpha=budget.timed_alpha,
        size=budget.timed_size,
    )
    _publish(directory, console, comparison, rows, accuracies, note, seconds)
    return rows


def _table_rows(timed: list[Row], accuracies: list[Row]) -> list[Row]:
    """Returns what was timed with what the same variants recognized."""
    known = [each for each in accuracies for _ in _RUNTIMES]
    return [
        dataclasses.replace(row, top1=each.top1, top5=each.top5, images=each.images)
        for row, each in zip(timed, known, strict=True)
        # the delegate is made for the 1xN variants
        if row.delegate is None or row.variant == "onexn"
    ]


def _publish(
    directory: pathlib.Path,
    console: rich.console.Console,
    comparison: compare.Comparison,
    rows: list[Row],
    accuracies: list[Row],
    note: str,
    seconds: float,
) -> None:
    """Prints the table and writes the report."""
    notes = [note, report.FILTER_MACS, report.DELEGATE]
    report.show(console, TITLE, rows)
    written = report.write(
        directory,
        TITLE,
        comparison.machine,
        rows,
        notes=notes,
        documented=[*accuracies, *comparison.rows],
        agreement=[dataclasses.asdict(each) for each in comparison.agreements],
        seconds=round(seconds, 1),
    )
    for text in (*notes, machine_lib.one_line(comparison.machine)):
        console.print(text, style="dim", highlight=False)
    console.print(
        f"Report: {', '.join(map(str, written))}", highlight=False, soft_wrap=True
    )


def _train_dense(
    dataset: Dataset, budget: Budget, seed: int, progress: rich.progress.Progress
) -> tf_keras.Model:
    model = tf_keras.applications.MobileNetV2(
        dataset.image_shape, alpha=0.35, weights=None, classes=dataset.classes
    )
    models.set_batch_norm_momentum(model, 0.9)
    recipe = _recipe(budget.epochs, seed)
    bar = _EpochBar(progress, "Training the dense network", recipe.epochs)
    fine_tune(model, dataset, recipe, callbacks=[bar])
    return model


def _accuracy_row(
    trained: tf_keras.Model,
    variant: Variant,
    dataset: Dataset,
    budget: Budget,
    seed: int,
    folder: pathlib.Path,
    progress: rich.progress.Progress,
) -> Row:
    """Prunes, fine-tunes and converts the trained network, and tests the file."""
    pruned = variant.prune(variant.prepare(trained))
    recipe = _recipe(budget.tuning_epochs, seed)
    row = Row(artifact="", **variant.row())
    bar = _EpochBar(progress, f"Fine-tuning {row.label}", recipe.epochs)
    fine_tune(pruned, dataset, recipe, callbacks=[bar])
    path = folder / f"digits-{variant.method}-{variant.rearrange}.tflite"
    content = convert.convert_to_tflite(variant.finish(pruned), path)
    found = accuracy.of_file(path, dataset)
    return dataclasses.replace(
        row,
        artifact=path.name,
        model="mobilenet_v2_0.35_32",
        weights=dataset.name,
        size_bytes=len(content),
        top1=found.top1,
        top5=found.top5,
        images=found.images,
        seed=seed,
    )


def _recipe(epochs: int, seed: int) -> Recipe:
    # half the paper's learning rate, for a quarter of its batch
    return Recipe(epochs=epochs, batch_size=64, learning_rate=0.05, seed=seed)


def _progress(console: rich.console.Console) -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        console=console,
    )


class _EpochBar(tf_keras.callbacks.Callback):
    """Advances a bar of a progress display by one each epoch."""

    def __init__(self, progress: rich.progress.Progress, description: str, epochs: int):
        super().__init__()
        self._progress = progress
        self._task = progress.add_task(description, total=epochs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._progress.advance(self._task)
