"""Times artifacts on a device, in turns, as `latency` does here."""

import pathlib
import random
from collections.abc import Sequence

from tfmot_onexn.benchmark import latency, runtimes
from tfmot_onexn.benchmark.devices import difference, programs
from tfmot_onexn.benchmark.devices.device import Device, DeviceError
from tfmot_onexn.benchmark.devices.emulator import Emulator
from tfmot_onexn.benchmark.devices.programs import Program, Tools
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import Row, set_speedups
from tfmot_onexn.tflite import delegate

_ROUNDS = 5
# an emulator shows that a program runs; more would only take longer
_EMULATED_RUNS = 2


def time_rows(
    untimed: Sequence[tuple[Row, str, str]],
    device: Device,
    tools: Tools,
    *,
    threads: int = 1,
    runs: int = 50,
    seed: int = 0,
    track: Track = untracked,
) -> list[Row]:
    """Times artifacts on a device and completes their rows.

    Where something fails, its row says so and the others go on; when the device is
    lost, all rows that lack runs fail. Rows of an emulator have no times; that of a
    plan tells how far it is from the `.tflite` of the same network, if that is given.

    Args:
      untimed: as in `artifacts.time_rows`.
      device: entered.
      tools: see `programs.Tools`.
      threads: of the runtimes.
      runs: timed inferences of each artifact.
      seed: of the order of turns.
      track: shows progress.
    """
    if device.emulated:
        runs = min(runs, _EMULATED_RUNS)
    shares = latency.shares_of(runs, 1 if device.emulated else _ROUNDS)
    contenders = [
        _Contender(str(index), row, path, runtime, threads)
        for index, (row, path, runtime) in enumerate(untimed)
    ]
    order = random.Random(seed)
    try:
        for contender in contenders:
            contender.bring(device, tools)
        for share in track(shares, len(shares), f"Timing in turns on {device.name}"):
            for contender in order.sample(contenders, len(contenders)):
                contender.take_turn(device, tools, share)
        if isinstance(device, Emulator):
            for contender in contenders:
                contender.compare(contenders, device, tools)
    except DeviceError as error:
        for contender in contenders:
            contender.lose(str(error), runs)
    for contender in contenders:
        contender.record(device)
    rows = [contender.row for contender in contenders]
    set_speedups(rows)
    return rows


class _Contender:
    """An artifact in a runtime, on its way to a row."""

    def __init__(self, place: str, row: Row, path: str, runtime: str, threads: int):
        self.row = row
        self._place, self._path, self._runtime = place, path, runtime
        self._threads = threads
        self._program: Program | None = None
        self._milliseconds: list[float] = []
        self._runs = 0
        self._error = row.error

    def bring(self, device: Device, tools: Tools) -> None:
        """Copies it to the device; raises DeviceError if the device is lost."""
        if self._error is not None:
            return
        try:
            self._program = programs.program(
                self._path, self._runtime, self._threads, device, tools, self._place
            )
        except DeviceError as error:
            self._fail(error)

    def take_turn(self, device: Device, tools: Tools, runs: int) -> None:
        """Runs it some times; raises DeviceError if the device is lost."""
        if self._program is None or self._error is not None:
            return
        try:
            output = device.run(self._program.words(runs), tools.timeout)
            self._milliseconds += self._program.milliseconds(output)
            self._runs += runs
        except DeviceError as error:
            self._fail(error)

    def compare(
        self, others: "Sequence[_Contender]", emulator: Emulator, tools: Tools
    ) -> None:
        """Compares a plan with the file of the same network among the others."""
        files = [
            other._path
            for other in others
            if other._path.endswith(".tflite")
            and other.row.macs is not None
            and (other.row.macs, other.row.nonzero_macs)
            == (self.row.macs, self.row.nonzero_macs)
        ]
        if self._program is None or self._error is not None or not files:
            return
        file = pathlib.Path(files[0])
        try:
            self.row.difference = difference.of_plan(
                self._program.words(1), file, emulator, tools.timeout
            )
        except DeviceError as error:
            self._fail(error)
            return
        if not self.row.difference <= difference.TOLERANCE:
            self._error = (
                f"it is {self.row.difference:.1e} off what {file.name} computes here, "
                f"at most {difference.TOLERANCE:.0e} is rounding"
            )

    def lose(self, message: str, runs: int) -> None:
        """Fails for want of a device, unless all runs are done."""
        if self._error is None and self._runs < runs:
            self._error = f"{message} (after {self._runs} of {runs} runs)"

    def record(self, device: Device) -> None:
        """Writes what was measured into the row."""
        name, plus, _ = self._runtime.partition("+")
        row = self.row
        row.runtime = runtimes.resolve(name) if runtimes.is_tvm(name) else name
        row.delegate = delegate.NAME if plus else None
        row.device, row.emulated = device.name, device.emulated
        row.threads, row.runs = self._threads, self._runs
        timing = latency.Timing(tuple(self._milliseconds), error=self._error)
        row.status, row.error = timing.status, timing.error
        if not device.emulated:
            row.median_ms = timing.percentile(50)
            row.p10_ms, row.p90_ms = timing.percentile(10), timing.percentile(90)

    def _fail(self, error: DeviceError) -> None:
        if error.lost:
            raise error
        self._error = str(error)
