"""Which channels of Keras' networks are free to be reordered and removed.

For each network of `tf_keras.applications`: the kernels that make channels, how many of
them are free to move and to go, and the layers that could not be followed.

Run as ``python -m tfmot_onexn.experiments.tracing [NETWORK ...]``.
"""

import argparse
import dataclasses
import inspect
import time
from collections.abc import Sequence

import rich.console
import rich.progress
import rich.table
import tf_keras

from tfmot_onexn.benchmark import machine
from tfmot_onexn.graph import tracing

# the smallest network of each family
SMALLEST = (
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0"),
    *("InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2"),
    *("MobileNetV3Small", "NASNetMobile", "RegNetX002", "RegNetY002", "ResNet50"),
    *("ResNet50V2", "ResNetRS50", "VGG16", "Xception"),
)


@dataclasses.dataclass(frozen=True)
class Traced:
    """What was found in one network.

    Attributes:
      parameters: number of weights.
      kernels: layers that make channels.
      free: of them, those whose channels can all be reordered.
      removable: of the free ones, those whose channels can be removed.
      groups: channel groups that are not pinned.
      untraced: a line for each layer without a rule.
      seconds: to trace.
    """

    parameters: int
    kernels: int
    free: int
    removable: int
    groups: int
    untraced: tuple[str, ...]
    seconds: float


def networks() -> list[str]:
    """Returns the names of all networks in `tf_keras.applications`."""
    return sorted(
        name
        for name, value in vars(tf_keras.applications).items()
        if inspect.isfunction(value)
    )


def trace(model: tf_keras.Model) -> Traced:
    """Traces a model and counts."""
    start = time.perf_counter()
    graph = tracing.trace(model)
    seconds = time.perf_counter() - start
    makers = {id(p): p for group in graph.groups for p in group.producers}
    pinned, kept = (
        {
            id(p)
            for group in graph.groups
            if getattr(group, reasons)
            for p in group.producers
        }
        for reasons in ("pinned", "kept")
    )
    return Traced(
        parameters=model.count_params(),
        kernels=len(makers),
        free=len(makers.keys() - pinned),
        removable=len(makers.keys() - pinned - kept),
        groups=sum(not group.pinned for group in graph.groups),
        untraced=graph.untraced,
        seconds=seconds,
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Traces and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=networks())
    names = parser.parse_args(argv).networks
    table = rich.table.Table(title="Channels of tf_keras.applications")
    table.add_column("network", no_wrap=True)
    columns = ("M weights", "kernels", "free", "removable", "groups", "s")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("not followed")
    for name in rich.progress.track(names, console=rich.console.Console(stderr=True)):
        found = trace(getattr(tf_keras.applications, name)(weights=None))
        table.add_row(
            name,
            f"{found.parameters / 1e6:.1f}",
            *map(str, (found.kernels, found.free, found.removable, found.groups)),
            f"{found.seconds:.1f}",
            "; ".join(found.untraced),
        )
        tf_keras.backend.clear_session()
    console = rich.console.Console(width=110)
    console.print(table)
    console.print(machine.one_line(machine.describe()), highlight=False)


if __name__ == "__main__":
    main()
