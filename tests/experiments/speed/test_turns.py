import numpy as np
import pytest

from tfmot_onexn.benchmark.latency import Job, Timing
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.experiments.speed import turns

UNTIMED = [
    ("base", Job("a.tflite", "litert"), Row("a.tflite", variant="dense")),
    ("other", Job("b.tflite", "litert", 2), Row("b.tflite", variant="filter")),
]
MACHINE = {
    "cpu": "Some CPU",
    "isa": ["avx2"],
    "cores": 2,
    "load_1min": 0.5,
    "date": "today",
    "versions": {"tensorflow": "2.21"},
}


def answered(monkeypatch, *timings):
    asked = {}

    def measure(jobs, **keywords):
        asked.update(keywords, jobs=jobs)
        return timings

    monkeypatch.setattr(turns.latency, "measure", measure)
    return asked


def test_rows_have_the_median_and_the_speed_up_over_the_base(monkeypatch):
    timings = Timing((4.0, 4.0, 2.0, 6.0)), Timing((1.0, 2.0, 2.0, 3.0))
    asked = answered(monkeypatch, *timings)
    rows, milliseconds = turns.time_jobs("net", UNTIMED, "base", rounds=2, runs=2)
    assert asked["jobs"] == [job for _, job, _ in UNTIMED]
    assert (asked["rounds"], asked["runs"]) == (2, 4)
    assert [(row.median_ms, row.speedup, row.threads) for row in rows] == [
        *((4.0, 1.0, 1), (2.0, 2.0, 2)),
    ]
    np.testing.assert_array_equal(milliseconds["other"], [[1, 2], [2, 3]])


def test_a_job_that_fails_is_told(monkeypatch):
    answered(monkeypatch, Timing((1.0, 1.0)), Timing((), error="no memory"))
    with pytest.raises(ValueError, match="net, filter: no memory"):
        turns.time_jobs("net", UNTIMED, "base", rounds=1, runs=2)


def test_a_caption_tells_how_often_and_how_noisy():
    rows = [Row("a", status="noisy"), Row("b")]
    text = turns.caption([(20, 5), (20, 5), (8, 3)], rows, MACHINE)
    assert text.startswith(
        "Runs in turns, rounds × runs: 20 × 5 or 8 × 3. Other processes disturbed 1 of "
        "2. Some CPU (avx2), 2 cores"
    )
    assert text.endswith(".")
    assert turns.caption([], rows[1:], MACHINE).startswith("Some CPU")
