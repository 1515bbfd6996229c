"""``onexn demo``."""

import argparse
import pathlib

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "demo",
        run,
        "Train, prune, convert and compare a MobileNetV2 on embedded data.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="train for a few epochs only"
    )
    parser.add_argument("--out", default="report", help="folder for the report")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data")


def run(arguments: argparse.Namespace) -> int:
    """Does the whole job."""
    common.load_tensorflow()
    from tfmot_onexn.experiments import demo

    demo.run(
        pathlib.Path(arguments.out),
        budget=demo.QUICK if arguments.quick else demo.Budget(),
        seed=arguments.seed,
    )
    return 0
