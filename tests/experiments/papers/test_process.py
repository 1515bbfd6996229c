"""A process that does jobs; `test_runner` starts some."""

import os
import subprocess
import sys
import time

import pytest

from tfmot_onexn.experiments.papers import process
from tfmot_onexn.experiments.papers.jobs import Store
from tfmot_onexn.experiments.papers.settings import QUICK
from tfmot_onexn.experiments.papers.trainings import Dense
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop


def test_a_job_needs_a_started_process(monkeypatch):
    monkeypatch.setattr(process, "_workshop", None)
    with pytest.raises(RuntimeError, match="has not been started"):
        process.do(Dense(QUICK.of("mobilenet")))


def test_a_result_is_kept_in_the_folder_of_the_sources(tmp_path, monkeypatch):
    job = Dense(QUICK.of("mobilenet"))
    workshop = Workshop(Sources(tmp_path, "digits"))
    monkeypatch.setattr(process, "_workshop", workshop)
    monkeypatch.setattr(Dense, "work", lambda self, given: {"same": given is workshop})
    process.do(job)
    assert Store(tmp_path).require(job) == {"same": True}


_STARTED = """
import pathlib, sys
import tfmot_onexn.__main__  # as a process that is spawned does
from tfmot_onexn.experiments.papers import process
assert "numpy" not in sys.modules
process.start(pathlib.Path("jobs"), "digits", (), 1)
import threadpoolctl
print({pool["num_threads"] for pool in threadpoolctl.threadpool_info()})
"""


def test_a_process_has_no_more_threads_than_it_is_given(monkeypatch):
    for library in ("OPENBLAS", "OMP"):
        monkeypatch.delenv(f"{library}_NUM_THREADS", raising=False)
    done = subprocess.run(
        [sys.executable, "-c", _STARTED], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "{1}\n"), done.stderr


_PARENT = """
import concurrent.futures, multiprocessing, os, time
from tfmot_onexn.experiments.papers import process
if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(1, spawn, process.end_with_parent)
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 600)
"""


def test_a_process_ends_when_its_parent_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
    deadline = time.monotonic() + 60
    while not _has_ended(child):
        assert time.monotonic() < deadline, "the process outlives its parent"
        time.sleep(0.05)


def _has_ended(pid: int) -> bool:
    """Returns whether a process is gone, or a zombie that nobody has asked for."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
