"""What images to calibrate with: of the classes that are tested, or of others.

The classes of a data set are divided into two halves. Test images of the first half go
through a network pruned on training images of that half, and through one pruned on as
many images of the other half; how often does each agree with the dense network? Labels
are used to divide only. ``--layers`` tells how far outputs of those layers are from the
dense network's, on test images and on those of calibration.

Run as ``python -m tfmot_onexn.experiments.calibration_classes --data D --weights W``.
"""

import argparse
import dataclasses
import time
from collections.abc import Sequence

import numpy as np
import rich.console
import tf_keras

from tfmot_onexn.benchmark import machine
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.networks import datasets, models, preprocessing
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.pruning import prune, schedule
from tfmot_onexn.pruning.calibration.settings import Calibration

_SPARSITY = 0.5
_BATCH = 50


@dataclasses.dataclass(frozen=True)
class Fidelity:
    """How close a pruned network is to the dense one.

    Attributes:
      agreement: share of images for which both name the same class.
      divergence: of Kullback and Leibler, from the dense network's probabilities, mean
        over images, in nats.
    """

    agreement: float
    divergence: float


@dataclasses.dataclass(frozen=True)
class LayerError:
    """How far a layer's outputs are from the dense network's.

    Attributes:
      layer: its name.
      tested: mean square of the difference over the variance of the dense network's
        outputs, on test images.
      calibrated: the same on images that the network was calibrated with.
    """

    layer: str
    tested: float
    calibrated: float


@dataclasses.dataclass(frozen=True)
class Row:
    """A network pruned on some images.

    Attributes:
      classes: "same" as those tested, or "other".
      tested: agreement on test images of the first half of the classes.
      calibrated: on the images that it was calibrated with.
      seconds: of processor time that pruning took.
      layers: errors of the layers that were asked for.
    """

    classes: str
    tested: Fidelity
    calibrated: Fidelity
    seconds: float
    layers: tuple[LayerError, ...] = ()


def measure(
    model: tf_keras.Model,
    dataset: Dataset,
    n: int,
    *,
    count: int = 384,
    tested: int = 300,
    seed: int = 0,
    layers: Sequence[str] = (),
) -> list[Row]:
    """Prunes a network on either half of the classes.

    Args:
      model: dense, trained, ending in probabilities; it is not changed.
      dataset: of images as `model` takes them but for preprocessing.
      n: output channels per block.
      count: images to calibrate with.
      tested: images to test on.
      seed: of the choice of images.
      layers: names of those whose errors to tell.

    Raises:
      ValueError: if `model` has no layer of such a name.
    """
    for name in layers:
        model.get_layer(name)
    rng = np.random.default_rng(seed)
    kind = preprocessing.preprocessing_for(model)
    halves = np.array_split(np.arange(dataset.classes), 2)

    def chosen(images, labels: np.ndarray, classes: np.ndarray, most: int):
        places = rng.permutation(np.flatnonzero(np.isin(labels, classes)))[:most]
        return preprocessing.preprocess(kind, images.take(np.sort(places)))

    test = chosen(dataset.test_images, dataset.test_labels, halves[0], tested)
    rows = []
    for name, classes in zip(("same", "other"), halves, strict=True):
        images = chosen(dataset.train_images, dataset.train_labels, classes, count)
        start = time.process_time()
        wrapped = prune.prune_low_magnitude_1xN(
            model,
            n,
            schedule.OneShot(_SPARSITY),
            rearrange="none",
            calibration=Calibration(images, count=count, seed=seed, verbose=False),
        )
        seconds = time.process_time() - start
        pruned = prune.strip_pruning(wrapped)
        own = images[:tested]
        on_test, on_own = (fidelity(model, pruned, each) for each in (test, own))
        errors = zip(
            layers,
            *(output_errors(model, pruned, layers, each) for each in (test, own)),
            strict=True,
        )
        found = tuple(LayerError(*each) for each in errors)
        rows.append(Row(name, on_test, on_own, seconds, found))
    return rows


def fidelity(
    dense: tf_keras.Model, pruned: tf_keras.Model, images: np.ndarray
) -> Fidelity:
    """Compares two networks on images ``[count, ...]``."""
    one, other = (
        np.concatenate(
            [np.asarray(each.predict_on_batch(part)) for part in _batches(images)]
        ).astype(np.float64)
        for each in (dense, pruned)
    )
    tiny = np.finfo(np.float32).tiny
    ratio = np.log(np.maximum(one, tiny)) - np.log(np.maximum(other, tiny))
    return Fidelity(
        float((one.argmax(axis=1) == other.argmax(axis=1)).mean()),
        float((one * ratio).sum(axis=1).mean()),
    )


def output_errors(
    dense: tf_keras.Model,
    pruned: tf_keras.Model,
    layers: Sequence[str],
    images: np.ndarray,
) -> list[float]:
    """Returns how far outputs of layers are from the dense network's; see `LayerError`.

    Args:
      dense: ending in channels.
      pruned: with layers of the same names, and filters in the same order.
      layers: the names.
      images: ``[count, ...]``.
    """
    if not layers:
        return []
    one, other = (_up_to(each, layers) for each in (dense, pruned))
    lacking = dict.fromkeys(layers, 0.0)
    values = dict.fromkeys(layers, 0)
    sums = {name: np.zeros((2, one.output_shape[name][-1])) for name in layers}
    for part in _batches(images):
        wanted, found = one.predict_on_batch(part), other.predict_on_batch(part)
        for name in layers:
            wanted_sm, found_sm = (
                each[name].reshape(-1, each[name].shape[-1]).astype(np.float64)
                for each in (wanted, found)
            )
            lacking[name] += float(((wanted_sm - found_sm) ** 2).sum())
            values[name] += len(wanted_sm)
            sums[name] += wanted_sm.sum(axis=0), (wanted_sm**2).sum(axis=0)
    return [
        lacking[name] / float((squares_m - sums_m**2 / values[name]).sum())
        for name, (sums_m, squares_m) in sums.items()
    ]


def _up_to(model: tf_keras.Model, layers: Sequence[str]) -> tf_keras.Model:
    outputs = {name: model.get_layer(name).output for name in layers}
    return tf_keras.Model(model.inputs, outputs)


def _batches(images: np.ndarray) -> list[np.ndarray]:
    return [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]


def table(rows: dict[int, list[Row]]) -> Table:
    """Returns the rows of each N."""
    header = (
        *("N", "images of", "agrees, tested", "divergence"),
        *("agrees, calibrated", "divergence", "CPU s"),
    )
    return Table(
        f"Agreement with the dense network at p = {100 * _SPARSITY:g} %",
        header,
        tuple(
            (
                str(n),
                f"the {row.classes} classes",
                *_cells(row.tested),
                *_cells(row.calibrated),
                f"{row.seconds:.0f}",
            )
            for n, found in rows.items()
            for row in found
        ),
    )


def layer_table(rows: dict[int, list[Row]]) -> Table:
    """Returns the errors of layers for each N."""
    header = ("N", "images of", "output of", "tested", "calibrated", "ratio")
    return Table(
        "Mean square error over the dense network's variance",
        header,
        tuple(
            (
                str(n),
                f"the {row.classes} classes",
                each.layer,
                f"{each.tested:.3f}",
                f"{each.calibrated:.3f}",
                f"{each.tested / each.calibrated:.2f}",
            )
            for n, found in rows.items()
            for row in found
            for each in row.layers
        ),
    )


def _cells(found: Fidelity) -> tuple[str, str]:
    return f"{100 * found.agreement:.1f} %", f"{found.divergence:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Prunes and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True, help="as of `onexn prune`")
    parser.add_argument("--network", default="mobilenet_v2", help="its name")
    parser.add_argument("--weights", default="imagenet", help="as of `onexn prune`")
    parser.add_argument("--alpha", type=float, default=1.0, help="width multiplier")
    parser.add_argument("--input-size", type=int, default=224, help="of the images")
    parser.add_argument("--n", type=int, nargs="*", default=(4, 16))
    parser.add_argument("--count", type=int, default=384, help="to calibrate with")
    parser.add_argument(
        "--layers", nargs="*", default=(), help="names of those whose errors to tell"
    )
    arguments = parser.parse_args(argv)
    side = arguments.input_size
    dataset = datasets.load(arguments.data, side)
    model = models.build(
        arguments.network,
        arguments.weights,
        input_shape=(side, side, 3),
        alpha=arguments.alpha,
    )
    rows = {
        n: measure(model, dataset, n, count=arguments.count, layers=arguments.layers)
        for n in arguments.n
    }
    console = rich.console.Console(width=110)
    console.print(table(rows).for_terminal())
    if arguments.layers:
        console.print(layer_table(rows).for_terminal())
    console.print(machine.one_line(machine.describe()), highlight=False)


if __name__ == "__main__":
    main()
