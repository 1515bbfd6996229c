"""``onexn benchmark``."""

import argparse

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "benchmark",
        run,
        "Time .tflite files and TVM builds side by side, each in a process of its own, "
        "in turns.",
        "Speed-ups are over the first dense .tflite without the delegate; where none "
        "is dense, those of the delegate and of TVM are over the same network without.",
    )
    parser.add_argument(
        "artifacts",
        nargs="+",
        metavar="ARTIFACT",
        help="a .tflite, or a .so of `onexn build`",
    )
    common.add_timing(parser, "tflite,tflite+delegate,tvm")


def run(arguments: argparse.Namespace) -> int:
    """Times the files."""
    from tfmot_onexn.benchmark import artifacts, machine, runtimes

    described = machine.describe()
    spelled = arguments.runtimes.split(",")
    untimed = [
        (artifacts.row_of(path), path, runtime)
        for path in arguments.artifacts
        for runtime in runtimes.of_artifact(path, spelled)
    ]
    rows = artifacts.time_rows(
        untimed, threads=arguments.threads, runs=arguments.runs, track=common.track
    )
    return common.report_rows(arguments, "Latency", described, rows)
