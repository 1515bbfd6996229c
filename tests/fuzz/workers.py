"""Goes through a series of mutated files in child processes, and watches them."""

import collections
import dataclasses
import importlib
import multiprocessing
import multiprocessing.connection
import pathlib
import time
import traceback
from collections.abc import Callable
from typing import Any

from fuzz import mutations

_REPORT_SECONDS = 0.5
_START_SECONDS = 120.0


@dataclasses.dataclass
class Report:
    """What came of a series of files.

    Attributes:
      outcomes: number of files by (kind of mutation, outcome).
      failures: kind and what happened, by the file's index in the series.
      slowest: processor seconds and index of the file that took longest.
      peak_bytes: most memory that a child took.
    """

    outcomes: collections.Counter = dataclasses.field(
        default_factory=collections.Counter
    )
    failures: dict[int, str] = dataclasses.field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, -1)
    peak_bytes: int = 0

    def add(self, other: "Report") -> None:
        self.outcomes.update(other.outcomes)
        self.failures.update(other.failures)
        self.slowest = max(self.slowest, other.slowest)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)

    @property
    def count(self) -> int:
        return sum(self.outcomes.values())


@dataclasses.dataclass(frozen=True)
class Series:
    """Mutated files to go through.

    Attributes:
      examiner: module with the functions ``prepare`` and ``examine``.
      seeds: the files to mutate, by name.
      seed: of the series.
      folder: where each child keeps the file that it examines, and failures stay.
      patience: seconds without an answer after which a child hangs.
    """

    examiner: str
    seeds: dict[str, bytes]
    seed: int
    folder: pathlib.Path
    patience: float = 60.0


def run(
    series: Series,
    indices: range,
    jobs: int = 1,
    progress: Callable[[Report], None] = lambda report: None,
) -> Report:
    """Examines the files of a series with the given indices.

    A file at which a child crashes or hangs has failed; another child goes on.
    """
    total = Report()
    (series.folder / "failures").mkdir(parents=True, exist_ok=True)
    children = [_Child(series, list(indices[job::jobs]), job) for job in range(jobs)]
    try:
        while any(child.todo for child in children):
            active = [child.connection for child in children if child.todo]
            multiprocessing.connection.wait(active, _REPORT_SECONDS)
            for child in children:
                child.listen(total)
            progress(total)
    finally:
        for child in children:
            child.end()
    return total


class _Child:
    def __init__(self, series: Series, todo: list[int], number: int):
        self._series, self._number = series, number
        self.todo = todo
        if todo:
            self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe(duplex=False)
        # tells where the process was when it died
        self._current = context.Value("q", self.todo[0], lock=False)
        path = self._series.folder / f"job{self._number}.tflite"
        self._process = context.Process(
            target=_work,
            args=(theirs, self._series, self.todo, self._current, path),
            daemon=True,
        )
        self._process.start()
        theirs.close()
        self._deadline = time.monotonic() + _START_SECONDS

    def listen(self, total: Report) -> None:
        """Takes in reports; replaces the process if it died or hangs."""
        if not self.todo:
            return
        try:
            while self.connection.poll():
                done, report = self.connection.recv()
                del self.todo[:done]
                total.add(report)
                self._deadline = time.monotonic() + self._series.patience
        except EOFError:
            self._process.join()
            self._fail(total, f"the process ended with {self._process.exitcode}")
        else:
            if time.monotonic() > self._deadline:
                self._fail(total, f"no answer for {self._series.patience:.0f} s")

    def _fail(self, total: Report, what: str) -> None:
        self.end()
        index = self._current.value
        kind, content = mutations.mutant(self._series.seeds, self._series.seed, index)
        total.outcomes[kind, "failed"] += 1
        total.failures[index] = f"{kind}: {what}"
        _keep(self._series.folder, index, content, what)
        # what came before it and was not reported yet comes again
        self.todo.remove(index)
        if self.todo:
            self._start()

    def end(self) -> None:
        """Ends the process, if there is one."""
        if self.__dict__.get("_process") is not None:
            self._process.kill()
            self._process.join()
            self.connection.close()


def _keep(folder: pathlib.Path, index: int, content: bytes, what: str) -> None:
    path = folder / "failures" / f"{index}.tflite"
    path.write_bytes(content)
    path.with_suffix(".txt").write_text(what)


def _work(
    connection: Any, series: Series, todo: list[int], current: Any, path: pathlib.Path
) -> None:
    """Examines files one after the other, in a process of its own."""
    examiner = importlib.import_module(series.examiner)
    examiner.prepare()
    _send(connection, 0, Report())
    report, done, sent = Report(), 0, time.monotonic()
    with path.open("wb", buffering=0) as file:
        for index in todo:
            current.value = index
            kind, content = mutations.mutant(series.seeds, series.seed, index)
            # in place, which costs a hundredth of making the file anew
            file.seek(0)
            file.write(content)
            file.truncate()
            start = time.process_time()
            try:
                outcome = examiner.examine(path, index)
            except Exception:
                outcome, what = "failed", traceback.format_exc()
                report.failures[index] = f"{kind}: {what}"
                _keep(series.folder, index, content, what)
            report.outcomes[kind, outcome] += 1
            report.slowest = max(report.slowest, (time.process_time() - start, index))
            done += 1
            if time.monotonic() - sent > _REPORT_SECONDS:
                _send(connection, done, report)
                report, done, sent = Report(), 0, time.monotonic()
    _send(connection, done, report)


def _send(connection: Any, done: int, report: Report) -> None:
    # getrusage would tell the peak of the parent, from which the child was forked
    status = pathlib.Path("/proc/self/status").read_text()
    report.peak_bytes = int(status.split("VmHWM:")[1].split()[0]) << 10
    connection.send((done, report))
