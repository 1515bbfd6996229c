"""``onexn tune``."""

import argparse
import pathlib
import sys
import tempfile
import warnings
from typing import Any

import rich.console
import rich.table

from tfmot_onexn import targets
from tfmot_onexn.cli import common

_PORT = 9090


def add(commands) -> None:
    """Adds the command to the parser."""
    parser = common.add_command(
        commands,
        "tune",
        run,
        "Time the ways to compute each kernel of a TVM build, and keep the fastest.",
        "Needs pip install tfmot-onexn[tvm]. `onexn build --tuned FILE` uses what is "
        "found. Another device is reached where `python -m tvm.exec.rpc_server` "
        "runs on it. Leave the machine alone meanwhile.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help=f"a .tflite, {common.MODEL_HELP}"
    )
    parser.add_argument(
        "-o",
        "--output",
        default="tuned.json",
        metavar="FILE",
        help="what is found is added to it",
    )
    parser.add_argument("--target", default=targets.HOST, help=", ".join(targets.NAMES))
    parser.add_argument(
        "--rpc", metavar="HOST[:PORT]", help="the device to time on, if not this one"
    )
    parser.add_argument(
        "--quick", action="store_true", help="fewer ways, and fewer runs of each"
    )
    common.add_network(parser)


def run(arguments: argparse.Namespace) -> int:
    """Tunes, prints a table and writes the database."""
    from tfmot_onexn.networks import files
    from tfmot_onexn.tvm import extra

    target = targets.resolve(arguments.target)
    extra.require()
    files.require_writable(arguments.output)
    from tfmot_onexn.tvm import processors, source, tiles, tune, tuning_database

    if pathlib.Path(arguments.output).exists():
        # before the work rather than after it
        tuning_database.load(arguments.output)
    tvm_target, tile = processors.processor(arguments.target)
    bench = _bench(arguments, target, tvm_target)
    with tempfile.TemporaryDirectory() as folder, common.building(arguments) as show:
        model = common.model_or_tflite(arguments, show)
        found_in = source.prepare(model, folder, progress=show)
        kernels = tune.kernels_of(found_in.path, tile)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", UserWarning)
        found = tune.tune(
            kernels, tile, bench, quick=arguments.quick, track=common.track
        )
    for remark in remarks:
        print(f"onexn tune: {remark.message}", file=sys.stderr)
    tuning_database.write(
        arguments.output,
        tiles.isa(tile),
        {each.signature: each.choice for each in found},
        **_origin(arguments),
    )
    rich.console.Console().print(_table(found))
    gained = [each for each in found if each.choice.tile]
    print(
        f"Wrote {arguments.output}: of {len(found)} kernels for {tiles.isa(tile)}, "
        f"{len(gained)} run faster with another tile."
    )
    return 0


def _bench(arguments: argparse.Namespace, target: targets.Target, tvm_target: Any):
    from tfmot_onexn.tvm import kernel_bench, loadable

    if arguments.rpc:
        host, _, port = arguments.rpc.partition(":")
        if port and not port.isdigit():
            raise ValueError(
                f"--rpc is {arguments.rpc!r}, expected HOST or HOST:PORT with a number."
            )
        return kernel_bench.Remote(tvm_target, target, host, int(port or _PORT))
    unfit = loadable.unfit(target)
    if unfit:
        raise ValueError(
            f"Kernels for {arguments.target} cannot be timed here: this machine "
            f"{unfit}. Name a device that can: --rpc HOST:PORT."
        )
    return kernel_bench.Local(tvm_target)


def _origin(arguments: argparse.Namespace) -> dict[str, str]:
    from tfmot_onexn.benchmark import machine

    described = machine.describe()
    name = f"{arguments.target} at {arguments.rpc}" if arguments.rpc else None
    return {
        "machine": name or str(described["cpu"]),
        "tvm": described["versions"]["apache-tvm"],
    }


def _table(found: list[Any]) -> rich.table.Table:
    table = rich.table.Table(title="Kernels", title_justify="left")
    table.add_column("kernel")
    for name in ("tried", "default, µs", "best, µs", "gain"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("choice")
    for each in found:
        choice = each.choice
        changed = ", ".join(f"{name} {value}" for name, value in choice.tile.items())
        table.add_row(
            each.signature,
            str(each.tried),
            f"{choice.default_us:.1f}",
            f"{choice.best_us:.1f}",
            f"{choice.gain:.2f}×",
            changed or "the default",
        )
    return table
