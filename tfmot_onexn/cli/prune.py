"""``onexn prune``."""

import argparse
import dataclasses
import sys
from typing import TYPE_CHECKING

from tfmot_onexn.cli import calibration, common

if TYPE_CHECKING:
    import tf_keras

    from tfmot_onexn.networks.datasets import Dataset
    from tfmot_onexn.pruning.calibration.settings import LayerReport
    from tfmot_onexn.pruning.variants import Variant


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "prune",
        run,
        "Prune a network, fine-tune it, and save it without wrappers.",
        "With --data the network is fine-tuned; its state is kept beside OUT after "
        "each epoch, and the same command goes on where it was interrupted. With "
        "--method subp it is trained from scratch and pruned meanwhile. With "
        "--calibrate it needs neither labels nor training.",
    )
    parser.add_argument("model", metavar="MODEL", help=common.MODEL_HELP)
    parser.add_argument("-o", "--output", required=True, metavar="OUT.keras")
    parser.add_argument(
        "--method", choices=("onexn", "subp", "weight", "filter"), default="onexn"
    )
    parser.add_argument("--sparsity", type=float, default=0.5, help="share of zeros")
    common.add_pattern(parser)
    tuning = parser.add_argument_group("fine-tuning")
    common.add_data(tuning, common.DATA_HELP)
    tuning.add_argument(
        "--augment",
        choices=("auto", "none", "crop_flip", "resized_crop_flip"),
        default="auto",
        help="random changes to training images: auto is crop_flip up to 64 pixels, "
        "resized_crop_flip above, none for digits and grey images",
    )
    tuning.add_argument("--epochs", type=int, default=10)
    tuning.add_argument("--batch-size", type=int, default=64)
    tuning.add_argument("--learning-rate", type=float, default=0.05)
    common.add_strategy(tuning)
    calibration.add(parser)
    _add_soft(parser)
    common.add_network(parser)


def _add_soft(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("--method subp")
    group.add_argument(
        "--ramp-begin", type=float, default=0.05, help="as a share of the epochs"
    )
    group.add_argument(
        "--ramp-end", type=float, default=0.7, help="from there on the masks stand"
    )
    group.add_argument(
        "--ramp", choices=("cubic", "linear", "cos", "exp"), default="cubic"
    )
    group.add_argument(
        "--mask-interval", type=float, default=1.0, help="epochs between renewals"
    )
    group.add_argument(
        "--criterion",
        choices=("bpar", "l1", "l2"),
        default="bpar",
        help="what ranks blocks; bpar is magnitude less redundancy",
    )
    group.add_argument(
        "--redundancy", type=float, default=1.0, help="its weight in bpar"
    )
    group.add_argument(
        "--temperature",
        type=float,
        default=1.0,
        help="of the lot by which blocks grow back: near 0 the best do, at inf any",
    )
    group.add_argument(
        "--decay", type=float, default=2e-4, help="of the weights behind the masks"
    )


def run(arguments: argparse.Namespace) -> int:
    """Prunes, fine-tunes and saves."""
    if not arguments.output.endswith(".keras"):
        raise ValueError(f"{arguments.output} must end in .keras, Keras' own format.")
    if arguments.strategy != "none" and not arguments.data:
        raise ValueError(
            f"--strategy {arguments.strategy} spreads the fine-tuning; give it --data, "
            "or leave it out."
        )
    calibration.validate(arguments)
    common.load_tensorflow()
    from tfmot_onexn.pruning import distribution

    with distribution.strategy(arguments.strategy) as strategy:
        final, dataset = _pruned(arguments, strategy)
        if distribution.is_chief(strategy):
            _save(arguments, final, dataset)
    return 0


def _pruned(
    arguments: argparse.Namespace, strategy
) -> "tuple[tf_keras.Model, Dataset | None]":
    """Returns the pruned model, fine-tuned if there is data, and the data."""
    from tfmot_onexn.networks import files
    from tfmot_onexn.pruning import distribution

    if distribution.is_chief(strategy):
        files.require_writable(arguments.output)
    variant = _variant(arguments)
    model, dataset = common.network(arguments, arguments.data)
    reports: list[LayerReport] = []
    images = calibration.load(arguments, model, reports)
    prepared, when = variant.prepare(model, images), None
    if dataset is not None:
        steps = len(dataset.train_batches(arguments.batch_size))
        when = variant.schedule(arguments.epochs, steps)
    with strategy.scope():
        pruned = variant.prune(prepared, when, images)
    if reports:
        calibration.show(reports)
    if dataset is not None:
        _fine_tune(arguments, pruned, dataset, variant)
    return variant.finish(pruned), dataset


def _save(
    arguments: argparse.Namespace, final: "tf_keras.Model", dataset: "Dataset | None"
) -> None:
    from tfmot_onexn.networks import files
    from tfmot_onexn.pruning.fine_tune import discard_checkpoints

    with files.replacing(arguments.output) as path:
        final.save(path)
    discard_checkpoints(_checkpoints(arguments))
    if dataset is not None:
        final.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = dataset.test_batches()
        with batches.plain_errors():
            _, top1 = final.evaluate(batches.once(), verbose=0)
        print(f"top-1 on {len(dataset.test_labels)} test images: {100 * top1:.2f} %")
    print(f"Saved {arguments.output}; look at it with `onexn summary`.")


def _variant(arguments: argparse.Namespace) -> "Variant":
    from tfmot_onexn.pruning.variants import Soft

    variant = common.variant(arguments, arguments.method, arguments.sparsity)
    if arguments.method != "subp":
        return variant
    if not arguments.data:
        raise ValueError(
            "--method subp prunes while the network trains from scratch: give --data. "
            "Without training, --method onexn --uniform makes such masks."
        )
    if not 0 <= arguments.ramp_begin <= arguments.ramp_end <= 1:
        raise ValueError(
            "--ramp-begin and --ramp-end are shares of the epochs with 0 <= begin <= "
            f"end <= 1, found {arguments.ramp_begin} and {arguments.ramp_end}."
        )
    soft = Soft(
        begin=arguments.ramp_begin,
        end=arguments.ramp_end,
        interval=arguments.mask_interval,
        ramp=arguments.ramp,
        criterion=arguments.criterion,
        alpha=arguments.redundancy,
        temperature=arguments.temperature,
        decay=arguments.decay,
        seed=arguments.seed,
    )
    return dataclasses.replace(variant, soft=soft)


def _checkpoints(arguments: argparse.Namespace) -> str:
    return f"{arguments.output}.checkpoints"


def _fine_tune(arguments, pruned, dataset, variant) -> None:
    from tfmot_onexn.networks.recipe import Recipe
    from tfmot_onexn.pruning.fine_tune import fine_tune

    recipe = Recipe(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        augmentation=arguments.augment,
        seed=arguments.seed,
    )
    names: tuple[str, ...] = ("model", "weights", "data", "input_size", "alpha", "seed")
    if arguments.calibrate:
        names += ("calibrate", "calibration_images")
    settings = {name: getattr(arguments, name) for name in names}
    fine_tune(
        pruned,
        dataset,
        recipe,
        checkpoints=_checkpoints(arguments),
        settings={**settings, **dataclasses.asdict(variant)},
        verbose=1 if sys.stdout.isatty() else 2,
    )
