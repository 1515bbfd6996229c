"""What ``onexn prune --calibrate`` takes, reads and shows."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich.console
import rich.table

from tfmot_onexn.cli import common

if TYPE_CHECKING:
    import tf_keras

    from tfmot_onexn.pruning.calibration.settings import Calibration, LayerReport


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    group = parser.add_argument_group("after training, without labels")
    group.add_argument(
        "--calibrate",
        metavar="FOLDER",
        help="a folder of images, or an .npz of images: choose blocks by what outputs "
        "lose and solve for the weights that stay, before any fine-tuning",
    )
    group.add_argument(
        "--calibration-images", type=int, default=512, help="how many of them to use"
    )


def validate(arguments: argparse.Namespace) -> None:
    """Raises ValueError if something else stands against ``--calibrate``."""
    if not arguments.calibrate:
        return
    if arguments.method != "onexn":
        raise ValueError(
            f"--calibrate chooses blocks; --method {arguments.method} does not go by "
            "them. Leave out one of the two."
        )
    if arguments.strategy != "none":
        raise ValueError(
            f"--calibrate works on one device, found --strategy {arguments.strategy}. "
            "Calibrate first, and fine-tune what that saves with --rearrange none."
        )


def load(
    arguments: argparse.Namespace, model: "tf_keras.Model", reports: "list[LayerReport]"
) -> "Calibration | None":
    """Returns the images as the model takes them; None without ``--calibrate``.

    Args:
      arguments: of the command.
      model: the one to prune.
      reports: takes one of each layer that is calibrated.
    """
    if not arguments.calibrate:
        return None
    from tfmot_onexn.networks import preprocessing, unlabelled
    from tfmot_onexn.pruning.calibration.settings import Calibration

    name = arguments.preprocess
    if name == "auto":
        name = preprocessing.preprocessing_for(model)
    pixels = unlabelled.load(
        arguments.calibrate,
        common.image_size(model),
        arguments.calibration_images,
        seed=arguments.seed,
    )
    return Calibration(
        preprocessing.preprocess(name, pixels),
        count=len(pixels),
        seed=arguments.seed,
        on_layer=reports.append,
    )


def show(reports: "Sequence[LayerReport]") -> None:
    """Prints what became of each layer."""
    table = rich.table.Table(title="Calibrated layers")
    for column in ("layer", "kept", "error"):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for report in reports:
        kept = f"{100 * (1 - report.sparsity):.1f} %"
        table.add_row(report.name, kept, f"{report.error:.4f}")
    rich.console.Console().print(table)
