"""``onexn prune``."""

import argparse
import dataclasses
import sys

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "prune",
        run,
        "Prune a network, fine-tune it, and save it without wrappers.",
        "With --data the network is fine-tuned; its state is kept beside OUT after "
        "each epoch, and the same command goes on where it was interrupted.",
    )
    parser.add_argument("model", metavar="MODEL", help=common.MODEL_HELP)
    parser.add_argument("-o", "--output", required=True, metavar="OUT.keras")
    parser.add_argument(
        "--method", choices=("onexn", "weight", "filter"), default="onexn"
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
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prunes, fine-tunes and saves."""
    common.load_tensorflow()
    from tfmot_onexn.networks import files
    from tfmot_onexn.pruning.fine_tune import discard_checkpoints

    if not arguments.output.endswith(".keras"):
        raise ValueError(f"{arguments.output} must end in .keras, Keras' own format.")
    files.require_writable(arguments.output)
    variant = common.variant(arguments, arguments.method, arguments.sparsity)
    model, dataset = common.network(arguments, arguments.data)
    pruned = variant.prune(variant.prepare(model))
    checkpoints = f"{arguments.output}.checkpoints"
    if dataset is not None:
        _fine_tune(arguments, pruned, dataset, variant, checkpoints)
    final = variant.finish(pruned)
    with files.replacing(arguments.output) as path:
        final.save(path)
    discard_checkpoints(checkpoints)
    if dataset is not None:
        final.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = dataset.test_batches()
        with batches.plain_errors():
            _, top1 = final.evaluate(batches, verbose=0)
        print(f"top-1 on {len(dataset.test_labels)} test images: {100 * top1:.2f} %")
    print(f"Saved {arguments.output}; look at it with `onexn summary`.")
    return 0


def _fine_tune(arguments, pruned, dataset, variant, checkpoints: str) -> None:
    from tfmot_onexn.networks.recipe import Recipe
    from tfmot_onexn.pruning.fine_tune import fine_tune

    recipe = Recipe(
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        augmentation=arguments.augment,
        seed=arguments.seed,
    )
    names = ("model", "weights", "data", "input_size", "alpha", "seed")
    settings = {name: getattr(arguments, name) for name in names}
    fine_tune(
        pruned,
        dataset,
        recipe,
        checkpoints=checkpoints,
        settings={**settings, **dataclasses.asdict(variant)},
        verbose=1 if sys.stdout.isatty() else 2,
    )
