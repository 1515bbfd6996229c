"""A bounded run of what `fuzz_tflite.py` does at length."""

import pathlib
import subprocess
import sys

import pytest
from fuzz import mutations, seeds, workers

from tfmot_onexn.tflite import kernels, validation

SCRIPT = pathlib.Path(__file__).with_name("fuzz_tflite.py")


@pytest.fixture(scope="module")
def files():
    return seeds.build()


def series(files, folder, examiner="fuzz.reading", seed=0):
    return workers.Series(examiner, files, seed, folder)


def test_seeds_are_small_and_hold_every_kind_of_kernel(files):
    found = set()
    for content in files.values():
        assert len(content) < 12_000
        for kernel in kernels.read(validation.validated(content)):
            found.add((kernel.operator, kernel.n, kernel.kernel.dtype.name))
    assert found == {
        ("CONV_2D", None, "float32"),
        ("CONV_2D", 1, "float32"),
        ("CONV_2D", 4, "float16"),
        ("CONV_2D", 4, "float32"),
        ("DEPTHWISE_CONV_2D", None, "float32"),
        ("FULLY_CONNECTED", 4, "float32"),
    }


def test_a_mutated_file_is_the_same_at_each_call(files):
    for index in range(200):
        assert mutations.mutant(files, 5, index) == mutations.mutant(files, 5, index)
    assert mutations.mutant(files, 5, 1) != mutations.mutant(files, 6, 1)


def test_mutated_files_are_read_or_refused_by_name(files, tmp_path):
    report = workers.run(series(files, tmp_path), range(4_000))
    assert report.failures == {}
    assert report.count == 4_000
    for kind in mutations.KINDS:
        assert report.outcomes[kind, "rejected"] > 100
        # a cut file can hardly pass
        assert report.outcomes[kind, "accepted"] > (10 if kind != "truncate" else -1)


def test_the_runtime_survives_what_is_accepted(files, tmp_path):
    report = workers.run(series(files, tmp_path, "fuzz.running"), range(2_000))
    assert report.failures == {}
    outcomes = {"ran": 0, "refused": 0, "rejected": 0, "too large": 0}
    for (_, outcome), count in report.outcomes.items():
        outcomes[outcome] += count
    assert outcomes["ran"] > 200
    assert outcomes["refused"] > 20


def test_a_child_that_crashes_or_fails_is_told_and_replaced(files, tmp_path):
    failing = workers.Series("fuzz.failing", files, 0, tmp_path, patience=8.0)
    report = workers.run(failing, range(40), jobs=2)
    assert report.count == 40
    outcomes = {}
    for (_, outcome), count in report.outcomes.items():
        outcomes[outcome] = outcomes.get(outcome, 0) + count
    assert outcomes == {"accepted": 37, "failed": 3}
    assert set(report.failures) == {7, 20, 33}
    assert "LookupError: odd" in report.failures[7]
    assert "the process ended with -11" in report.failures[20]
    assert "no answer for 8 s" in report.failures[33]
    for index in report.failures:
        kept = tmp_path / "failures" / f"{index}.tflite"
        assert kept.read_bytes() == mutations.mutant(files, 0, index)[1]
        assert kept.with_suffix(".txt").exists()


def test_the_script_runs_by_itself(tmp_path):
    command = [sys.executable, str(SCRIPT), "--count", "40", "--folder", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "40 files" in done.stdout
    assert "peak memory" in done.stdout
