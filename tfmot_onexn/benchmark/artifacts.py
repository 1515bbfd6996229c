"""Rows of `.tflite` files: what a file tells of itself, and what timing adds."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfmot_onexn.benchmark import latency
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import Row, set_speedups
from tfmot_onexn.tflite import (
    delegate,
    flatbuffer,
    interpreter,
    kernels,
    validation,
)


def row_of(path: str | os.PathLike) -> Row:
    """Returns a row with what can be read from a file; ``failed`` if it cannot.

    The variant is "dense" without zeros to speak of, else "onexn", or "weight" where
    single weights are zero. n is the most frequent block, the sparsity that of the
    sparse kernels together.
    """
    path = pathlib.Path(path)
    row = Row(artifact=path.name)
    try:
        content = flatbuffer.read_bytes(path)
        stored = kernels.read(validation.validated(content, str(path)))
    except ValueError as error:
        row.status, row.error = "failed", str(error)
        return row
    row.size_bytes = len(content)
    if not stored:
        return row
    if all(kernel.macs is not None for kernel in stored):
        row.macs = sum(kernel.macs or 0 for kernel in stored)
        row.nonzero_macs = sum(kernel.nonzero_macs or 0 for kernel in stored)
    row.dtype = str(max((k for k in stored), key=lambda k: k.kernel.size).kernel.dtype)
    sparse = [kernel.kernel for kernel in stored if kernel.n is not None]
    if not sparse:
        row.variant, row.sparsity = "dense", 0.0
        return row
    zeros = sum(int(np.count_nonzero(kernel == 0)) for kernel in sparse)
    row.sparsity = zeros / sum(kernel.size for kernel in sparse)
    sizes, counts = np.unique(
        [kernel.n for kernel in stored if kernel.n is not None], return_counts=True
    )
    row.n = int(sizes[counts.argmax()])
    row.variant = "weight" if row.n == 1 else "onexn"
    return row


def time_rows(
    untimed: Sequence[tuple[Row, str, str]],
    *,
    threads: int = 1,
    runs: int = 50,
    seed: int = 0,
    track: Track = untracked,
) -> list[Row]:
    """Times artifacts in turns and completes their rows.

    Args:
      untimed: a row, the artifact's path and the runtime of each, as
        `interpreter.split_runtime` spells it.
      threads: of the runtimes.
      runs: timed inferences of each artifact.
      seed: of the order of turns.
      track: shows progress.
    """
    jobs = [latency.Job(path, runtime, threads) for _, path, runtime in untimed]
    timings = latency.measure(jobs, runs=runs, seed=seed, track=track)
    rows = []
    for (row, _, _), job, timing in zip(untimed, jobs, timings, strict=True):
        record(row, job, timing)
        rows.append(row)
    set_speedups(rows)
    return rows


def record(row: Row, job: latency.Job, timing: latency.Timing) -> None:
    """Writes a timing into a row."""
    row.runtime, plus, _ = job.runtime.partition("+")
    row.delegate = delegate.NAME if plus else None
    row.threads = job.threads
    if timing.error is None:
        row.runtime = interpreter.resolve_runtime(row.runtime)
    row.median_ms = timing.percentile(50)
    row.p10_ms, row.p90_ms = timing.percentile(10), timing.percentile(90)
    row.runs = len(timing.milliseconds)
    row.status = timing.status
    row.error = timing.error
    if timing.status == "noisy":
        row.error = (
            f"other processes used {timing.busy_seconds:.2f} s of processor time in "
            f"the {timing.seconds:.2f} s of the measurement"
        )
