"""Kills ``onexn prune`` again and again and compares what it ends with.

By hand, since it takes minutes: `python tests/robustness/interrupt_prune.py`. A run is
killed by SIGKILL, SIGTERM and SIGINT in turn, a random time after its start or after
a checkpoint or the model has been begun or written, and started again until it ends.
Its model must equal that of an uninterrupted run bit for bit, no model may ever be
there in part, and nothing else may be left in the folder. `tests/cli/test_prune.py`
has the bounded version.
"""

import argparse
import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile

COMMAND = (
    *("prune", "mobilenet_v2", "--alpha", "0.35", "--input-size", "32"),
    *("--data", "digits", "--batch-size", "256", "--rearrange", "l1"),
)
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
OUTPUT = "out.keras"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interruptions", type=int, default=50, help="at least")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "tfmot_onexn", *COMMAND]
    command += ["--epochs", str(arguments.epochs), "-o", OUTPUT]
    choice = random.Random(arguments.seed)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "whole"
        started = time.monotonic()
        finish(start(command, folder))
        duration = time.monotonic() - started
        expected = weights(folder / OUTPUT)
        print(f"An uninterrupted run takes {duration:.0f} s.", flush=True)
        while counts["interruptions"] < arguments.interruptions:
            folder = pathlib.Path(scratch) / f"run{counts['runs']}"
            interrupted_run(command, folder, duration, expected, choice, counts)
            counts["runs"] += 1
            print(f"Run {counts['runs']} ended with the same weights.", flush=True)
    print(", ".join(f"{name}: {count}" for name, count in sorted(counts.items())))
    return 0


def interrupted_run(command, folder, duration, expected, choice, counts) -> None:
    """Kills and restarts one run until it ends; raises if something is wrong."""
    while True:
        process = start(command, folder)
        number = counts["interruptions"]
        kind = SIGNALS[number % len(SIGNALS)]
        event, happened = EVENTS[number % len(EVENTS)]
        wait = choice.uniform(0, duration if happened is None else 0.02)
        killed = kill(process, folder, happened, wait, kind)
        when = f"{wait:.3f} s after {event}"
        if not killed:
            finish(process)
            break
        output, errors = process.communicate()
        counts["interruptions"] += 1
        counts[kind.name] += 1
        found = sorted(os.listdir(folder))
        print(f"{number + 1:3d} {kind.name} {when}: {found}", flush=True)
        if (folder / OUTPUT).exists():
            require_equal(expected, weights(folder / OUTPUT))
        if process.returncode == 0:
            break
        if kind is signal.SIGINT and "onexn prune: interrupted" not in errors:
            counts["SIGINT while Python starts"] += 1
        if "Error" in errors and kind is not signal.SIGINT:
            raise AssertionError(f"{when} it failed:\n{output}\n{errors}")
    require_equal(expected, weights(folder / OUTPUT))
    if os.listdir(folder) != [OUTPUT]:
        raise AssertionError(f"Left behind: {sorted(os.listdir(folder))}")


def start(command, folder: pathlib.Path) -> subprocess.Popen:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> None:
    output, errors = process.communicate()
    if process.returncode:
        raise AssertionError(f"Exit code {process.returncode}:\n{output}\n{errors}")


def kill(process, folder: pathlib.Path, happened, wait: float, kind) -> bool:
    """Kills a process some time after an event.

    Args:
      happened: tells from the files before and now; None for the start.
      wait: seconds from then on.

    Returns:
      Whether the process was still there to be killed.
    """
    before = contents(folder)
    while happened is not None and not happened(before, contents(folder)):
        if process.poll() is not None:
            return False
        time.sleep(0.0005)
    try:
        process.wait(wait)
    except subprocess.TimeoutExpired:
        process.send_signal(kind)
        return True
    return False


def checkpoint_grows(before, now) -> bool:
    return any("_temp" in name for name in now)


def checkpoint_is_new(before, now) -> bool:
    return any(".index" in name and "_temp" not in name for name in {*now} - {*before})


def model_grows(before, now) -> bool:
    return any(".unfinished" in name and size for name, size in now.items())


def model_is_new(before, now) -> bool:
    return OUTPUT in now and OUTPUT not in before


def checkpoints_go(before, now) -> bool:
    return OUTPUT in now and not any(name.endswith("/checkpoint") for name in now)


# what the process is at when it is killed; the rarer moments only near the end
EVENTS = (
    ("the start", None),
    ("a checkpoint was begun", checkpoint_grows),
    ("a checkpoint was written", checkpoint_is_new),
    ("the start", None),
    ("the model was begun", model_grows),
    ("the model was written", model_is_new),
    ("the checkpoints were discarded", checkpoints_go),
)


def contents(folder: pathlib.Path) -> dict[str, int]:
    """Returns the size of every file below a folder."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                path = os.path.join(root, name)
                found[os.path.relpath(path, folder)] = os.stat(path).st_size
            except FileNotFoundError:
                continue
    return found


def weights(path: pathlib.Path) -> dict[str, bytes]:
    """Returns the raw weights in a `.keras` file, which it must be whole to give."""
    import h5py

    found: dict[str, bytes] = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()].tobytes()

    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise AssertionError(f"{path} is damaged.")
        with (
            archive.open("model.weights.h5") as member,
            h5py.File(member, "r") as file,
        ):
            file.visititems(note)
    return found


def require_equal(expected: dict[str, bytes], actual: dict[str, bytes]) -> None:
    differing = [name for name in expected if expected[name] != actual.get(name)]
    if differing or len(expected) != len(actual):
        raise AssertionError(f"{len(differing)} weights differ: {differing[:5]}")


if __name__ == "__main__":
    sys.exit(main())
