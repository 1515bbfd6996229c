"""Jobs that take turns: what the experiments on whole networks share."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from tfmot_onexn.benchmark import artifacts, latency
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.rows import Row

Key = TypeVar("Key", bound=Hashable)


def time_jobs(
    network: str,
    untimed: Sequence[tuple[Key, Job, Row]],
    base: Key,
    *,
    rounds: int,
    runs: int,
    seed: int = 0,
    track: Track = untracked,
) -> tuple[list[Row], dict[Key, np.ndarray]]:
    """Times jobs and completes their rows.

    Args:
      network: for errors.
      untimed: a key, the job and its row.
      base: the key of what speed-ups are over.
      rounds: turns of each job.
      runs: timed inferences of a turn.
      seed: of the order of turns.
      track: shows progress.

    Returns:
      The rows, and milliseconds ``[rounds, runs]`` by key.

    Raises:
      ValueError: if a job fails.
    """
    timings = latency.measure(
        [job for _, job, _ in untimed],
        runs=rounds * runs,
        rounds=rounds,
        seed=seed,
        track=track,
    )
    rows, milliseconds = [], {}
    for (key, job, row), timing in zip(untimed, timings, strict=True):
        if timing.error is not None:
            raise ValueError(f"{network}, {row.label_at_sparsity}: {timing.error}")
        artifacts.record(row, job, timing)
        rows.append(row)
        milliseconds[key] = np.array(timing.milliseconds).reshape(rounds, -1)
    median = float(np.median(milliseconds[base]))
    for row in rows:
        row.speedup = median / (row.median_ms or np.nan)
    return rows, milliseconds


def caption(
    rounds_and_runs: Iterable[tuple[int, int]],
    rows: Sequence[Row],
    machine: dict[str, Any],
) -> str:
    """Returns how networks were timed, if any were, and on what."""
    plans = dict.fromkeys(f"{rounds} × {runs}" for rounds, runs in rounds_and_runs)
    told = f"Runs in turns, rounds × runs: {' or '.join(plans)}. " if plans else ""
    noisy = sum(row.status == "noisy" for row in rows)
    disturbed = f"Other processes disturbed {noisy} of {len(rows)}. " if noisy else ""
    return f"{told}{disturbed}{machine_lib.one_line(machine)}."
