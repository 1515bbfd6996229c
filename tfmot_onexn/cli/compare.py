"""``onexn compare``."""

import argparse
import dataclasses
import pathlib
import tempfile
from typing import TYPE_CHECKING

import rich.console

from tfmot_onexn.cli import common

if TYPE_CHECKING:
    from tfmot_onexn.pruning.variants import Variant


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "compare",
        run,
        "Prune a network in several ways and compare size, latency and accuracy.",
        "Nothing is trained. Speed-ups are over the dense variant of the first runtime "
        "without the delegate. With tvm among the runtimes, each variant is built for "
        "TVM's virtual machine and as a plan too.",
    )
    parser.add_argument(
        "--model", default="mobilenet_v2", metavar="MODEL", help=common.MODEL_HELP
    )
    parser.add_argument(
        "--variants",
        default="dense,weight,filter,onexn",
        help="comma-separated; subp, which trains from scratch, shows with uniform "
        "masks its size and speed only",
    )
    parser.add_argument("--sparsity", default="0.5", help="comma-separated shares")
    common.add_pattern(parser)
    common.add_data(parser, f"to test on: {common.DATA_HELP}")
    common.add_network(parser)
    common.add_timing(parser)
    parser.add_argument(
        "--report", metavar="DIR", help="write JSON, PNG and HTML there"
    )
    parser.add_argument("--keep", metavar="DIR", help="keep the artifacts there")


def run(arguments: argparse.Namespace) -> int:
    """Builds the variants, measures them, and checks that they compute alike."""
    common.load_tensorflow()
    from tfmot_onexn.benchmark import compare, pictures, report

    variants = _variants(arguments)
    model, dataset = common.network(arguments, arguments.data)
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(arguments.keep or temporary)
        directory.mkdir(parents=True, exist_ok=True)
        found = compare.compare(
            model,
            variants,
            directory,
            weights=arguments.weights,
            runtimes=arguments.runtimes.split(","),
            dataset=dataset,
            threads=arguments.threads,
            runs=arguments.runs,
            seed=arguments.seed,
            track=common.track,
        )
    title = f"{model.name}, {arguments.weights} weights"
    agreement = [dataclasses.asdict(each) for each in found.agreements]
    status = common.report_rows(
        arguments, title, found.machine, found.rows, agreement=agreement
    )
    console = rich.console.Console()
    report.show_agreement(console, found.agreements)
    of_tvm = [report.TVM] if any(row.in_tvm for row in found.rows) else []
    for note in of_tvm:
        console.print(note, style="dim", highlight=False)
    if arguments.report:
        report.write(
            pathlib.Path(arguments.report),
            title,
            found.machine,
            found.rows,
            notes=[report.FILTER_MACS, report.DELEGATE, *of_tvm],
            draw=pictures.compared,
            agreement=agreement,
        )
    return status or int(not all(each.passed for each in found.agreements))


def _variants(arguments: argparse.Namespace) -> "list[Variant]":
    """Returns the variants asked for, dense once, the others at each sparsity."""
    try:
        sparsities = [float(text) for text in arguments.sparsity.split(",")]
    except ValueError as error:
        raise ValueError(
            "--sparsity takes numbers separated by commas, found "
            f"{arguments.sparsity!r}."
        ) from error
    return [
        common.variant(arguments, method, sparsity)
        for method in arguments.variants.split(",")
        for sparsity in (sparsities[:1] if method == "dense" else sparsities)
    ]
