import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.benchmark import latency
from tfmot_onexn.benchmark.latency import Job, Timing


@given(st.integers(1, 200), st.integers(1, 20))
def test_rounds_share_all_runs_evenly(runs, rounds):
    shares = latency.shares_of(runs, rounds)
    assert (len(shares), sum(shares)) == (min(rounds, runs), runs)
    assert max(shares) - min(shares) <= 1


def test_every_job_is_timed_as_often_as_asked(files):
    seen = []

    def track(items, total, description):
        seen.append((total, description))
        return items

    jobs = [Job(path) for path in files.values()]
    timings = latency.measure(jobs, runs=13, rounds=4, track=track)
    assert seen == [(4, "Timing in turns")]
    for timing in timings:
        assert len(timing.milliseconds) == 13
        assert 0 < timing.percentile(10) <= timing.percentile(50)
        assert timing.percentile(50) <= timing.percentile(90)
        assert timing.error is None


def test_other_runtimes_and_threads(files):
    (timing,) = latency.measure([Job(files["onexn"], "tf_lite", 2)], runs=2)
    assert len(timing.milliseconds) == 2


def test_a_job_that_fails_does_not_stop_the_others(files, tmp_path):
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"no model")
    jobs = [
        Job(str(broken)),
        Job(files["dense"], "tflite_runtime"),
        Job(files["dense"]),
    ]
    bad, missing, good = latency.measure(jobs, runs=3)
    assert "broken.tflite is not a .tflite file" in bad.error
    assert "tflite_runtime is not installed" in missing.error
    assert (bad.status, missing.status) == ("failed", "failed")
    assert bad.percentile(50) is None
    assert len(good.milliseconds) == 3


def test_a_worker_that_dies_is_reported(files, monkeypatch):
    monkeypatch.setattr(latency.sys, "executable", "/bin/false")
    (timing,) = latency.measure([Job(files["dense"])], runs=3)
    assert timing.error == "the runtime ended with exit code 1: it left no message"


@pytest.mark.parametrize(
    ("seconds", "busy", "status"),
    [(1.0, 0.1, "ok"), (1.0, 0.2, "noisy"), (0.1, 0.04, "ok"), (0.1, 0.06, "noisy")],
)
def test_a_measurement_that_others_disturbed_is_flagged(seconds, busy, status):
    assert Timing((1.0,), seconds, busy).status == status


def test_percentiles_are_numpys():
    values = tuple(np.random.default_rng(0).random(50))
    assert Timing(values).percentile(90) == np.percentile(values, 90)


def test_a_job_limits_the_instruction_set(files, monkeypatch, tmp_path):
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\necho "{\\"error\\": \\"ISA <$ONEXN_ISA>\\"}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(latency.sys, "executable", str(program))
    monkeypatch.delenv("ONEXN_ISA", raising=False)
    jobs = [Job(files["dense"], isa="avx2"), Job(files["dense"])]
    limited, free = latency.measure(jobs, runs=1)
    assert (limited.error, free.error) == ("ISA <avx2>", "ISA <>")
