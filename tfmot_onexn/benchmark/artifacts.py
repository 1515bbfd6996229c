"""Rows of artifacts: what a file tells of itself, and what timing adds."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfmot_onexn.benchmark import latency, runtimes
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.rows import Row, set_speedups
from tfmot_onexn.tflite import delegate, description
from tfmot_onexn.tvm import build, builds


def row_of(path: str | os.PathLike) -> Row:
    """Returns a row with what can be read from a file; ``failed`` if it cannot.

    A `.tflite` tells what `tflite.description` finds in it, a TVM build what was found
    in the model that it was built from.
    """
    path = pathlib.Path(path)
    try:
        told = _of_build(path) if builds.format_of(path) else _of_tflite(path)
    except ValueError as error:
        return Row(artifact=path.name, status="failed", error=str(error))
    return Row(artifact=path.name, **told)


def _of_tflite(path: pathlib.Path) -> dict[str, Any]:
    return dataclasses.asdict(description.of_file(path))


def _of_build(path: pathlib.Path) -> dict[str, Any]:
    told = builds.describe(path)
    known = {field.name for field in dataclasses.fields(description.Description)}
    return {
        **{key: value for key, value in told["row"].items() if key in known},
        "size_bytes": builds.size(path),
        "model": told["model"],
        "target": told["target"],
    }


def built_for(path: pathlib.Path, runtime: str) -> pathlib.Path:
    """Builds a `.tflite` file for a runtime of TVM.

    Args:
      path: of the file; the build is written beside it, under the same stem.
      runtime: one of `runtimes.BUILDS`.

    Returns:
      The build's path.

    Raises:
      ValueError: if TVM cannot build it.
    """
    format_, suffix = runtimes.BUILDS[runtime]
    built = path.with_suffix(suffix)
    build.build_tvm(path, built, format=format_)
    return built


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
        `runtimes.split` spells it.
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
    if runtimes.is_tvm(row.runtime):
        row.runtime = runtimes.resolve(row.runtime)
    elif timing.error is None:
        row.runtime = runtimes.split(row.runtime)[0]
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
