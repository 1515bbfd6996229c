"""What loading a `.tflite` file costs: time, and memory at its peak.

Each load has a fresh process. The time is that of making the delegate, if there is one,
and the interpreter, and of allocating the tensors; the memory is by how much the
process grows at most until the first inference is done.

Run as ``python -m tfmot_onexn.experiments.speed.load_cost FILE [--delegate]``.
"""

import argparse
import dataclasses
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import numpy as np

from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.tflite import delegate, interpreter


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of a load.

    Attributes:
      milliseconds: until the tensors are allocated.
      peak_mb: 1e6 bytes of memory at most, more than before.
    """

    milliseconds: float
    peak_mb: float


def load(path: str, with_delegate: bool) -> Cost:
    """Loads a file into LiteRT in this process and runs it once."""
    module = interpreter.module_of("litert")
    # so that the peak is that of what follows
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    start = time.perf_counter()
    used = None
    if with_delegate:
        used = [module.load_delegate(str(delegate.packaged()), {})]
    loaded = module.Interpreter(
        model_path=path, experimental_delegates=used, num_threads=1
    )
    loaded.allocate_tensors()
    seconds = time.perf_counter() - start
    for given in loaded.get_input_details():
        loaded.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
    loaded.invoke()
    return Cost(1e3 * seconds, (_memory("VmHWM") - before) / 1e6)


def measure(
    files: Mapping[str, tuple[str, bool]],
    *,
    rounds: int = 5,
    track: Track = untracked,
) -> dict[str, Cost]:
    """Loads files in turns, each time in a process of its own.

    Args:
      files: by name, a path and whether the delegate is used.
      rounds: loads of each; a first one, not counted, brings it into memory.
      track: shows progress.

    Returns:
      The medians by name.
    """
    found: dict[str, list[Cost]] = {name: [] for name in files}
    for _ in track(range(rounds + 1), rounds + 1, "Loading in turns"):
        for name, (path, with_delegate) in files.items():
            found[name].append(_in_own_process(path, with_delegate))
    return {
        name: Cost(
            statistics.median(cost.milliseconds for cost in costs[1:]),
            statistics.median(cost.peak_mb for cost in costs[1:]),
        )
        for name, costs in found.items()
    }


def _in_own_process(path: str, with_delegate: bool) -> Cost:
    command = [sys.executable, "-m", "tfmot_onexn.experiments.speed.load_cost", path]
    done = subprocess.run(
        [*command, *(["--delegate"] if with_delegate else [])],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it left no message"])[-1]
        raise ValueError(f"Loading {path} ended with {done.returncode}: {last}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _memory(entry: str) -> int:
    """Returns an entry of this process' status in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    match = re.search(rf"^{entry}:\s+(\d+) kB$", status, re.MULTILINE)
    if match is None:
        raise ValueError(f"This system does not tell {entry} of a process.")
    return 1024 * int(match[1])


def main(argv: Sequence[str] | None = None) -> None:
    """Loads a file and prints what it cost as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", help="a .tflite")
    parser.add_argument("--delegate", action="store_true", help="use the delegate")
    arguments = parser.parse_args(argv)
    print(json.dumps(dataclasses.asdict(load(arguments.file, arguments.delegate))))


if __name__ == "__main__":
    main()
