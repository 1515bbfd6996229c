"""Whether networks keep their outputs when channels are reordered and removed.

Each network gets random weights on which a wrong channel shows
(`networks.random_weights`). Every free channel group is put in a random order; half of
the filters are pruned and then removed. Compared are the last feature maps, before any
softmax, as max|a - b| / max|b|, in float64 so that rounding cannot hide an error. Two
columns show that the measure tells wrong from right: one kernel left as it was in the
reordered network, and the pruned network beside the dense one.

Run as ``python -m tfmot_onexn.experiments.equality [NETWORK ...]``.
"""

import argparse
import contextlib
import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import rich.console
import rich.progress
import rich.table
import tf_keras

from tfmot_onexn.benchmark import machine
from tfmot_onexn.graph import reindex, shrink, surgery, tracing
from tfmot_onexn.networks.random_weights import random_images, randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.schedule import OneShot

NETWORKS = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "ResNet50"),
    *("DenseNet121", "EfficientNetB0", "InceptionV3"),
)
_SIZE = 96


@dataclasses.dataclass(frozen=True)
class Equality:
    """What was found for one network.

    Attributes:
      groups: channel groups put in a random order.
      reordered: error of the reordered network.
      unmoved: the same with one kernel left as it was.
      smaller: weights left after removal, over those before.
      shrunk: error of the network without its removed filters, to the masked one.
      masked: difference of the masked network from the dense one.
    """

    groups: int
    reordered: float
    unmoved: float
    smaller: float
    shrunk: float
    masked: float


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Builds Keras models in float64."""
    tf_keras.backend.set_floatx("float64")
    tf_keras.mixed_precision.set_global_policy("float64")
    try:
        yield
    finally:
        tf_keras.backend.set_floatx("float32")
        tf_keras.mixed_precision.set_global_policy(None)


def check(name: str, size: int = _SIZE, seed: int = 0) -> Equality:
    """Reorders, prunes and shrinks a network of `tf_keras.applications`.

    Args:
      name: of the network.
      size: height and width of its images.
      seed: of weights, images and orders.
    """
    rng = np.random.default_rng(seed)
    with float64():
        build = getattr(tf_keras.applications, name)
        features = build(input_shape=(size, size, 3), weights=None, include_top=False)
        model = randomize(features, seed)
        images = random_images(model, 2, seed + 1)
        expected = model(images, training=False)
        graph = tracing.trace(model)
        orders = {g: rng.permutation(g.size) for g in graph.groups if not g.pinned}
        weights = reindex.reindexed_weights(orders)
        moved = surgery.copy_model(model, weights)
        reordered = moved(images, training=False)
        *_, left_out = (layer for layer in weights if hasattr(layer, "kernel"))
        moved.get_layer(left_out.name).set_weights(left_out.get_weights())
        masked = prune.strip_pruning(
            prune.prune_filters(model, OneShot(0.5), policy.PruneConvolutions())
        )
        small = shrink.shrink_filters(masked)
        of_masked = masked(images, training=False)
        return Equality(
            groups=len(orders),
            reordered=_error(reordered, expected),
            unmoved=_error(moved(images, training=False), expected),
            smaller=small.count_params() / model.count_params(),
            shrunk=_error(small(images, training=False), of_masked),
            masked=_error(of_masked, expected),
        )


def _error(actual, expected) -> float:
    actual, expected = np.asarray(actual), np.asarray(expected)
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def main(argv: Sequence[str] | None = None) -> None:
    """Checks and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    names = parser.parse_args(argv).networks
    table = rich.table.Table(title="max|a − b| / max|b| of the last feature map")
    for column in (
        *("network", "groups", "reordered", "one kernel unmoved"),
        *("removed − masked", "weights left", "masked − dense"),
    ):
        first = column == "network"
        table.add_column(column, justify="left" if first else "right")
    for name in rich.progress.track(names, console=rich.console.Console(stderr=True)):
        found = check(name)
        table.add_row(
            name,
            str(found.groups),
            f"{found.reordered:.1e}",
            f"{found.unmoved:.2f}",
            f"{found.shrunk:.1e}",
            f"{found.smaller:.0%}",
            f"{found.masked:.2f}",
        )
        tf_keras.backend.clear_session()
    console = rich.console.Console(width=110)
    console.print(table)
    console.print(machine.one_line(machine.describe()), highlight=False)


if __name__ == "__main__":
    main()
