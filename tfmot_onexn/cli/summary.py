"""``onexn summary``."""

import argparse
import json
from typing import Any

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "summary",
        run,
        "Show blocks, zeros, MACs and bytes of a model or a .tflite, layer by layer.",
    )
    parser.add_argument(
        "model", metavar="MODEL|ARTIFACT", help=f"a .tflite, {common.MODEL_HELP}"
    )
    parser.add_argument("--json", metavar="F", help="write the table to a file")
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table."""
    from tfmot_onexn import inspection
    from tfmot_onexn.networks import files

    subject: Any = arguments.model
    if not arguments.model.endswith(".tflite"):
        common.load_tensorflow()
        subject, _ = common.network(arguments)
    found = inspection.summary(subject)
    if arguments.json:
        document = {"schema": 1, **found.to_dict()}
        files.write(arguments.json, json.dumps(document, indent=1) + "\n")
    return 0
