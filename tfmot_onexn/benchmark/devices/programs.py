"""What runs an artifact on a device, and how it tells its times."""

import abc
import dataclasses
import json
import pathlib
import re
from collections.abc import Sequence

from tfmot_onexn import targets
from tfmot_onexn.benchmark import runtimes
from tfmot_onexn.benchmark.devices.adb import Adb
from tfmot_onexn.benchmark.devices.device import Device, DeviceError
from tfmot_onexn.benchmark.devices.emulator import Emulator
from tfmot_onexn.benchmark.devices.rpc import Rpc
from tfmot_onexn.tvm import builds

_WARMUP = 3
_SCRIPT = pathlib.Path(__file__).with_name("litert_turn.py")
_RPC_TURN = "tfmot_onexn.benchmark.devices.rpc_turn"


@dataclasses.dataclass(frozen=True)
class Tools:
    """What this package does not bring to a device itself.

    Attributes:
      benchmark_model: TensorFlow's program of that name, built for the device; without
        it, `.tflite` files run in the device's Python.
      delegate: this package's library, built for the device.
      python: the interpreter there.
      timeout: of one turn, in seconds.
    """

    benchmark_model: pathlib.Path | None = None
    delegate: pathlib.Path | None = None
    python: str = "python3"
    timeout: float = 300.0


class Program(abc.ABC):
    """A program on a device that times one artifact."""

    @abc.abstractmethod
    def words(self, runs: int) -> list[str]:
        """Returns the command for a number of runs."""

    def milliseconds(self, output: str) -> list[float]:
        """Returns the times from what the program has written.

        Raises:
          DeviceError: if they are not there.
        """
        try:
            return [float(each) for each in json.loads(output.splitlines()[-1])["ms"]]
        except (LookupError, TypeError, ValueError) as error:
            raise DeviceError(
                f"No times in what it wrote: {output[-200:]!r}"
            ) from error


@dataclasses.dataclass(frozen=True)
class _Plan(Program):
    runner: str
    folder: str
    threads: int

    def words(self, runs: int) -> list[str]:
        counts = ["--threads", self.threads, "--runs", runs, "--warmup", _WARMUP]
        return [self.runner, self.folder, *map(str, counts)]


@dataclasses.dataclass(frozen=True)
class _Script(Program):
    start: Sequence[str]
    threads: int
    library: Sequence[str]

    def words(self, runs: int) -> list[str]:
        return [*self.start, *map(str, (self.threads, _WARMUP, runs)), *self.library]


@dataclasses.dataclass(frozen=True)
class _Library(Program):
    device: Rpc
    path: str
    threads: int

    def words(self, runs: int) -> list[str]:
        where = [self.device.host, self.device.port, self.path]
        return ["-m", _RPC_TURN, *where, *map(str, (self.threads, _WARMUP, runs))]


@dataclasses.dataclass(frozen=True)
class _BenchmarkModel(Program):
    program: str
    model: str
    threads: int
    library: Sequence[str]

    def words(self, runs: int) -> list[str]:
        return [
            self.program,
            f"--graph={self.model}",
            f"--num_threads={self.threads}",
            f"--num_runs={runs}",
            f"--warmup_runs={_WARMUP}",
            # it would go on until these have passed
            *("--min_secs=0", "--warmup_min_secs=0"),
            "--use_xnnpack=true",
            *(f"--external_delegate_path={library}" for library in self.library),
        ]

    def milliseconds(self, output: str) -> list[float]:
        """Returns one time: the median of the runs, or their mean if it tells none."""
        counts = re.findall(r"count=\d+ .*?avg=[\d.e+]+.*", output)
        found = re.search(r"\bmedian=([\d.e+]+)", counts[-1]) if counts else None
        found = found or re.search(r"Inference \(avg\): ([\d.e+]+)", output)
        if found is None:
            raise DeviceError(f"No times in what it wrote: {output[-200:]!r}")
        return [float(found[1]) / 1e3]


def program(
    path: str, runtime: str, threads: int, device: Device, tools: Tools, place: str
) -> Program:
    """Copies what an artifact needs to a device.

    Args:
      path: of a `.tflite` file or a build for TVM.
      runtime: as `runtimes.split` spells it.
      threads: of the runtime.
      device: where to.
      tools: see there.
      place: a folder for it, below the device's.

    Raises:
      DeviceError: if it cannot run there, with the remedy.
    """
    name, plus, _ = runtime.partition("+")
    if isinstance(device, Rpc):
        if not runtimes.is_tvm(name) or builds.format_of(path) != builds.VM:
            raise DeviceError(
                f"{device.name} runs libraries for TVM's virtual machine only. Build "
                "one with `onexn build`, or reach the machine by ssh:HOST."
            )
        return _Library(device, path, threads)
    if runtimes.is_tvm(name):
        return _plan(pathlib.Path(path), threads, device, place)
    library = [_delegate(device, tools, place)] if plus else []
    model = device.push(pathlib.Path(path), f"{place}/model.tflite")
    if tools.benchmark_model is not None:
        binary = _executable(device, tools.benchmark_model, f"{place}/benchmark_model")
        return _BenchmarkModel(binary, model, threads, library)
    if isinstance(device, (Adb, Emulator)):
        raise DeviceError(
            f"{device.name} has no Python to run LiteRT in. Give TensorFlow's "
            f"benchmark_model for {device.processor} with --benchmark-model PATH."
        )
    script = device.push(_SCRIPT, f"{place}/{_SCRIPT.name}")
    return _Script([tools.python, script, model], threads, library)


def _plan(path: pathlib.Path, threads: int, device: Device, place: str) -> Program:
    if builds.format_of(path) != builds.PLAN:
        raise DeviceError(
            f"{path} is a library for TVM's virtual machine, which {device.name} does "
            "not have. Build a plan: onexn build --format plan."
        )
    built_for = builds.describe(path)["target"]
    _require_built_for(built_for, path, device)
    folder = ""
    for name in (builds.CALLS, builds.WEIGHTS):
        folder = device.push(path / name, f"{place}/{name}").rpartition("/")[0]
    runner = _executable(device, path / builds.BENCHMARK, f"{place}/{builds.BENCHMARK}")
    return _Plan(runner, folder, threads)


def _require_built_for(name: str, path: pathlib.Path, device: Device) -> None:
    target = targets.resolve(name)
    if target.processor != device.processor:
        raise DeviceError(
            f"{path} is built for {name} ({target.processor}), {device.name} is "
            f"{device.processor}. Build it with --target {_target(device)}."
        )


def _target(device: Device) -> str:
    """Returns the name of the target that a device is."""
    android = isinstance(device, Adb)
    return next(
        (
            name
            for name, target in targets.TARGETS.items()
            if (target.processor, target.android) == (device.processor, android)
        ),
        f"one of {list(targets.TARGETS)}",
    )


def _delegate(device: Device, tools: Tools, place: str) -> str:
    if tools.delegate is None:
        raise DeviceError(
            f"The delegate for {device.name} ({device.processor}) is not at hand. "
            f"Build it with `onexn delegate --target {_target(device)} -o FILE` and "
            "give it with --delegate FILE."
        )
    return device.push(tools.delegate, f"{place}/{tools.delegate.name}")


def _executable(device: Device, path: pathlib.Path, name: str) -> str:
    if not path.exists():
        raise DeviceError(f"{path} is missing.")
    there = device.push(path, name)
    if not isinstance(device, Emulator):
        device.run(["chmod", "+x", there], 30)
    return there
