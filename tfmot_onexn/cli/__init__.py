"""The command line: ``onexn COMMAND``, the same as ``python -m tfmot_onexn``.

One module per command. They import what they need when they run, so that ``--help``
and ``benchmark`` do without TensorFlow.
"""

import argparse
import os
import sys
from collections.abc import Sequence

import absl.flags

from tfmot_onexn.cli import (
    benchmark,
    build,
    compare,
    convert,
    delegate,
    demo,
    experiment,
    export,
    prune,
    summary,
    tune,
)

_COMMANDS = (
    *(demo, prune, convert, build, export, tune, benchmark, compare),
    *(experiment, summary, delegate),
)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Parses a command line ``[program, ...]``; exits with 2 if it makes no sense."""
    absl.flags.FLAGS.mark_as_parsed()
    return parser().parse_args(argv[1:])


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands, from which their page is made too."""
    built = argparse.ArgumentParser(
        prog="onexn",
        description="Prune Keras networks in 1×N blocks for TFLite and TVM.",
        epilog="Start with `onexn demo`, which does the whole job on embedded data.",
        allow_abbrev=False,
    )
    commands = built.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS:
        command.add(commands)
    return built


def main(arguments: argparse.Namespace) -> int:
    """Runs a command; returns 0, or 1 after a message if the work failed."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        return arguments.run(arguments)
    except (ValueError, OSError) as error:
        message = str(error)
    except KeyboardInterrupt:
        message = "interrupted"
    print(f"onexn {arguments.command}: {message}", file=sys.stderr)
    return 1
