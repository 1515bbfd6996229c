"""What pruning and encoding a large network costs in time and memory.

A network is built with random weights and converted, once dense and once rearranged,
pruned in 1x4 blocks at 50 % and encoded, each in a process of its own. Reported are
seconds per stage, and by how much the peak memory grows, in copies of the weights.

Run as ``python -m tfmot_onexn.experiments.large_network [NETWORK]``.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence

import rich.console
import rich.table

from tfmot_onexn.benchmark import machine

WAYS = ("dense", "pruned")


def convert(network: str, way: str, rearrange: str = "auto") -> dict[str, float]:
    """Converts a network of `tf_keras.applications` in this process.

    Args:
      network: its name there.
      way: one of `WAYS`.
      rearrange: order of filters that "pruned" is pruned in.

    Returns:
      Seconds per stage, ``weights`` and ``content`` in bytes, and ``peak``, the
      process' largest resident memory so far in bytes.
    """
    import tf_keras

    from tfmot_onexn.pruning import prune
    from tfmot_onexn.tflite.convert import convert_to_tflite

    model = getattr(tf_keras.applications, network)(weights=None)
    start = time.perf_counter()
    pruned = model
    if way == "pruned":
        pruned = prune.prune_low_magnitude_1xN(model, rearrange=rearrange)
    between = time.perf_counter()
    content = convert_to_tflite(pruned)
    return {
        "prune": between - start,
        "convert": time.perf_counter() - between,
        "weights": 4 * model.count_params(),
        "content": len(content),
        "peak": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def measure(network: str, way: str, rearrange: str = "auto") -> dict[str, float]:
    """Runs `convert` in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tfmot_onexn.experiments.large_network",
        *(network, "--way", way, "--rearrange", rearrange),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("network", nargs="?", default="ResNet152")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument(
        "--rearrange", default="auto", help="order of filters (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    network, rearrange = arguments.network, arguments.rearrange
    if arguments.way:
        print(json.dumps(convert(network, arguments.way, rearrange)))
        return
    found = {way: measure(network, way, rearrange) for way in WAYS}
    weights = found["dense"]["weights"]
    table = rich.table.Table(title=f"{network}, {weights / 1e6:.0f} MB of weights")
    table.add_column("")
    for column in ("prune, s", "convert, s", "file, MB", "peak, MB", "above dense"):
        table.add_column(column, justify="right")
    for way, figures in found.items():
        above = (figures["peak"] - found["dense"]["peak"]) / weights
        table.add_row(
            way,
            f"{figures['prune']:.0f}",
            f"{figures['convert']:.0f}",
            f"{figures['content'] / 1e6:.0f}",
            f"{figures['peak'] / 1e6:.0f}",
            f"{above:.2f} × weights",
        )
    console = rich.console.Console(width=110)
    console.print(table)
    console.print(machine.one_line(machine.describe()), highlight=False)


if __name__ == "__main__":
    main()
