"""What pruning costs while training: time to trace a step, and time of a step.

MobileNetV2 0.5 at 96x96, batch 32, all 1x1 convolutions but the classifier wrapped, a
polynomial schedule that renews the masks every 20 steps (tfmot's default is 100).
tfmot's wrapper is measured in the same run; the ways take turns, in an order that
reverses each time, and each turn starts from a fresh model.

Run as ``python -m tfmot_onexn.experiments.training_cost``.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import rich.console
import rich.table
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.benchmark import machine
from tfmot_onexn.graph import surgery
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.schedule import OneShot

_WARMUP_STEPS = 2


def _network() -> tf_keras.Model:
    return tf_keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.5, weights=None, classes=10
    )


def _schedule() -> tfmot.PruningSchedule:
    return tfmot.PolynomialDecay(0.0, 0.5, 0, 1000, frequency=20)


def _wrapped_by_tfmot(model: tf_keras.Model) -> tf_keras.Model:
    chosen = policy.chosen_layers(model, policy.PrunePointwise())

    def replace(layer):
        copy = surgery.copy_layer(layer)
        if any(layer is one for one in chosen):
            return tfmot.prune_low_magnitude(copy, _schedule())
        return copy

    return surgery.map_layers(model, replace)


def _ours(model: tf_keras.Model, schedule: tfmot.PruningSchedule) -> tf_keras.Model:
    return prune.prune_low_magnitude_1xN(model, 4, schedule, rearrange="none")


# name -> (wrap, callbacks)
WAYS: dict[str, tuple[Callable, Callable[[], list]]] = {
    "unwrapped": (surgery.copy_model, list),
    "ours, OneShot": (
        lambda model: _ours(model, OneShot(0.5)),
        lambda: [UpdatePruningStep()],
    ),
    "ours, our callback": (
        lambda model: _ours(model, _schedule()),
        lambda: [UpdatePruningStep()],
    ),
    "ours, tfmot's callback": (
        lambda model: _ours(model, _schedule()),
        lambda: [tfmot.UpdatePruningStep()],
    ),
    "tfmot": (_wrapped_by_tfmot, lambda: [tfmot.UpdatePruningStep()]),
}


class _Stopwatch(tf_keras.callbacks.Callback):
    """Notes the time from the end of one step to the end of the next."""

    def on_train_begin(self, logs=None):
        self.seconds: list[float] = []
        self._last = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        now = time.perf_counter()
        self.seconds.append(now - self._last)
        self._last = now


def measure(steps: int, turns: int) -> dict[str, np.ndarray]:
    """Trains in each way in turn.

    Args:
      steps: per turn; the first one traces the graph.
      turns: of each way.

    Returns:
      For each way the seconds of every step ``[turns, steps]``.
    """
    rng = np.random.default_rng(0)
    images = rng.normal(size=(32, 96, 96, 3)).astype(np.float32)
    data = tf.data.Dataset.from_tensors((images, rng.integers(0, 10, 32)))
    model = _network()
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    order = list(WAYS)
    # the first turn warms TensorFlow up and is not counted
    for turn in range(turns + 1):
        for way in order if turn % 2 else order[::-1]:
            wrap, callbacks = WAYS[way]
            wrapped = wrap(model)
            wrapped.compile(
                tf_keras.optimizers.SGD(0.01, momentum=0.9),
                "sparse_categorical_crossentropy",
            )
            stopwatch = _Stopwatch()
            wrapped.fit(
                data.repeat(steps), verbose=0, callbacks=[*callbacks(), stopwatch]
            )
            if turn:
                found[way].append(stopwatch.seconds)
            tf_keras.backend.clear_session()
    return {way: np.array(seconds) for way, seconds in found.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=60, help="per turn")
    parser.add_argument("--turns", type=int, default=8, help="of each way")
    arguments = parser.parse_args(argv)
    described = machine.describe()
    found = measure(arguments.steps, arguments.turns)
    figures = {
        "first step, s": lambda seconds: seconds[:, 0],
        "median step, ms": lambda s: 1e3 * np.median(s[:, _WARMUP_STEPS:], axis=1),
        "mean step, ms": lambda s: 1e3 * s[:, _WARMUP_STEPS:].mean(axis=1),
    }
    table = rich.table.Table(
        title=f"Medians over {arguments.turns} turns of {arguments.steps} steps, and "
        "ratios to unwrapped in the same turn (p10–p90)",
    )
    table.add_column("", no_wrap=True)
    for name in figures:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("ratio", justify="right", no_wrap=True)
    for way, seconds in found.items():
        cells: list[str] = [way]
        for figure in figures.values():
            ratios = figure(seconds) / figure(found["unwrapped"])
            low, middle, high = np.percentile(ratios, [10, 50, 90])
            cells.append(f"{np.median(figure(seconds)):.2f}")
            cells.append(f"{middle:.2f} ({low:.2f}–{high:.2f})")
        table.add_row(*cells)
    console = rich.console.Console(width=140)
    console.print(table)
    console.print(machine.one_line(described), highlight=False)


if __name__ == "__main__":
    main()
