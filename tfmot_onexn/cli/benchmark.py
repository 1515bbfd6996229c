"""``onexn benchmark``."""

import argparse

from tfmot_onexn.cli import common


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "benchmark",
        run,
        "Time .tflite files side by side, each in a process of its own, in turns.",
        "Speed-ups are over the first dense file without the delegate; where no file "
        "is dense, the delegate's are over the same file without it.",
    )
    parser.add_argument("artifacts", nargs="+", metavar="ARTIFACT", help="a .tflite")
    common.add_timing(parser)


def run(arguments: argparse.Namespace) -> int:
    """Times the files."""
    from tfmot_onexn.benchmark import artifacts, machine

    described = machine.describe()
    untimed = [
        (artifacts.row_of(path), path, runtime)
        for path in arguments.artifacts
        for runtime in arguments.runtimes.split(",")
    ]
    rows = artifacts.time_rows(
        untimed, threads=arguments.threads, runs=arguments.runs, track=common.track
    )
    return common.report_rows(arguments, "Latency", described, rows)
