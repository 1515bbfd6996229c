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
        "Show what pruning has done to each kernel of a model or a .tflite, and what "
        "runtimes make of it.",
        "Fill is the share of weights other than 0 in the blocks that are kept. "
        "--json writes what tfmot_onexn.inspection.Summary.to_dict describes, and "
        '"schema": 1.',
    )
    parser.add_argument(
        "model", metavar="MODEL|ARTIFACT", help=f"a .tflite, {common.MODEL_HELP}"
    )
    parser.add_argument(
        "--dense",
        metavar="DENSE",
        help="the model or .tflite that it was pruned from: shows how much of each "
        "kernel's l1 norm is left, above 100%% if fine-tuning let weights grow",
    )
    parser.add_argument("--json", metavar="F", help="write the summary to a file")
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table."""
    from tfmot_onexn import inspection
    from tfmot_onexn.networks import files

    if arguments.json:
        files.require_writable(arguments.json)
    dense = None
    subject = _subject(arguments, arguments.model)
    if arguments.dense:
        dense = _subject(arguments, arguments.dense)
    found = inspection.summary(subject, dense)
    if arguments.json:
        document = {"schema": 1, **found.to_dict()}
        files.write(arguments.json, json.dumps(document, indent=1) + "\n")
    return 0


def _subject(arguments: argparse.Namespace, name: str) -> Any:
    """Returns the path of a .tflite, or the model of that name or path."""
    if name.endswith(".tflite"):
        return name
    common.load_tensorflow()
    model, _ = common.network(argparse.Namespace(**{**vars(arguments), "model": name}))
    return model
