"""``onexn delegate``."""

import argparse
import os

from tfmot_onexn import targets
from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "delegate",
        run,
        "Write the delegate's library, to load from C, C++, Java or benchmark_model.",
        "host is this machine and copies the library that came with the package. The "
        "others are built: pip install tfmot-onexn[build] brings the tools, but for "
        "Android, which needs its NDK in ANDROID_NDK_HOME. Linux needs glibc 2.17 or "
        "later then.",
    )
    parser.add_argument("-o", "--output", required=True, metavar="libonexn_delegate.so")
    parser.add_argument(
        "--target", default=targets.HOST, help=", ".join(map(_described, targets.NAMES))
    )


def run(arguments: argparse.Namespace) -> int:
    """Writes the library."""
    from tfmot_onexn.tflite import delegate

    delegate.write(arguments.output, arguments.target)
    size = os.path.getsize(arguments.output)
    triple = targets.resolve(arguments.target).triple
    print(f"Wrote {arguments.output}: {size / 1e6:.2f} MB, for {triple}.")
    return 0


def _described(name: str) -> str:
    return name if name == targets.HOST else f"{name} ({targets.TARGETS[name].isa})"
