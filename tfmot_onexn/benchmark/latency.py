"""Times artifacts against each other.

Each artifact has a process of its own (see `worker`). They take turns in rounds, so
that a slow spell of the machine meets all of them; every turn starts with runs that are
not counted, which bring the artifact's weights back into the cache.
"""

import contextlib
import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import psutil

from tfmot_onexn.benchmark import runtimes

_WARMUP_PER_TURN = 3
# what others may use of one core before a measurement is called noisy: a share, and
# seconds, since the kernel counts processor time in hundredths
_IDLE_SHARE, _IDLE_SECONDS = 0.15, 0.05


# wraps an iteration to show progress: (items, their number, what is done) -> items
Track: TypeAlias = Callable[[Iterable, int, str], Iterable]


def untracked(items: Iterable, total: int, description: str) -> Iterable:
    """Shows no progress."""
    return items


@dataclasses.dataclass(frozen=True)
class Job:
    """An artifact to time in a runtime, see `runtimes.split`.

    ``isa`` limits the instruction set of the delegate, but not that of the runtime.
    """

    path: str
    runtime: str = "tflite"
    threads: int = 1
    isa: str | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """Milliseconds of single inferences, in the order they were taken.

    Attributes:
      milliseconds: ``[runs]``, empty if the job failed.
      seconds: all turns together took.
      busy_seconds: other processes used the processors meanwhile.
      error: why the job failed, or None.
    """

    milliseconds: tuple[float, ...]
    seconds: float = 0.0
    busy_seconds: float = 0.0
    error: str | None = None

    @property
    def status(self) -> str:
        """Returns "ok", "noisy" or "failed"."""
        if self.error is not None:
            return "failed"
        noisy = self.busy_seconds > max(_IDLE_SECONDS, _IDLE_SHARE * self.seconds)
        return "noisy" if noisy else "ok"

    def percentile(self, percent: float) -> float | None:
        """Returns a percentile of the milliseconds, None if there are none."""
        if not self.milliseconds:
            return None
        return float(np.percentile(self.milliseconds, percent))


def shares_of(runs: int, rounds: int) -> list[int]:
    """Returns how many runs each round has, fewer rounds if there are fewer runs."""
    rounds = max(1, min(rounds, runs))
    return [runs // rounds + (r < runs % rounds) for r in range(rounds)]


def measure(
    jobs: Sequence[Job],
    *,
    runs: int = 50,
    rounds: int = 10,
    seed: int = 0,
    track: Track = untracked,
) -> list[Timing]:
    """Times every job, the jobs taking turns.

    Args:
      jobs: what to time.
      runs: timed inferences of each job in all.
      rounds: turns of each job; their order within a round is drawn anew each time.
      seed: of that order.
      track: shows progress.

    Returns:
      One timing per job; a job that fails does not stop the others.
    """
    shares = shares_of(runs, rounds)
    order = random.Random(seed)
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_Worker(job)) for job in jobs]
        for share in track(shares, len(shares), "Timing in turns"):
            for worker in order.sample(workers, len(workers)):
                worker.take_turn(share)
        return [worker.timing() for worker in workers]


class _Worker:
    """The parent's side of a worker process."""

    def __init__(self, job: Job):
        self._job = job
        self._process: subprocess.Popen[str] | None = None
        self._milliseconds: list[float] = []
        self._seconds = 0.0
        self._busy_seconds = 0.0
        self._error: str | None = None

    def __enter__(self) -> "_Worker":
        try:
            runtimes.split(self._job.runtime)
        except ValueError as error:
            self._error = str(error)
            return self
        module = "tfmot_onexn.benchmark.worker"
        arguments = [self._job.path, self._job.runtime, str(self._job.threads)]
        limit = {"ONEXN_ISA": self._job.isa} if self._job.isa else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **limit},
        )
        self._receive(self._process)
        return self

    def __exit__(self, *_) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def take_turn(self, runs: int) -> None:
        """Lets the worker warm up and run; keeps its times."""
        if self._process is None or self._error is not None:
            return
        start, others = time.perf_counter(), _busy_seconds()
        self._send(self._process, {"warmup": _WARMUP_PER_TURN, "runs": runs})
        answer = self._receive(self._process)
        self._milliseconds += answer.get("ms", [])
        self._seconds += time.perf_counter() - start
        self._busy_seconds += _busy_seconds() - others - answer.get("cpu_s", 0.0)

    def timing(self) -> Timing:
        """Returns what was measured."""
        if self._error is not None:
            return Timing((), error=self._error)
        return Timing(
            tuple(self._milliseconds), self._seconds, max(0.0, self._busy_seconds)
        )

    @staticmethod
    def _send(process: subprocess.Popen[str], request: dict[str, int]) -> None:
        if process.stdin is not None:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()

    def _receive(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        if line:
            answer = json.loads(line)
            self._error = answer.get("error")
            return answer
        _, errors = process.communicate()
        last = (errors.strip().splitlines() or ["it left no message"])[-1]
        self._error = f"the runtime ended with exit code {process.returncode}: {last}"
        return {}


def _busy_seconds() -> float:
    """Returns the processor time used by anyone since the machine started."""
    times = psutil.cpu_times()
    kinds = ("user", "nice", "system", "irq", "softirq", "steal")
    return sum(getattr(times, kind, 0.0) for kind in kinds)
