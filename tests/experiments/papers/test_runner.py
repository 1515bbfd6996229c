"""Jobs in order, several at a time, and again after an interruption."""

import dataclasses
import os
import pathlib
from typing import ClassVar

import pytest

from tfmot_onexn.experiments.papers import runner
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.trainings import Dense
from tfmot_onexn.experiments.papers.workshop import Sources


@dataclasses.dataclass(frozen=True)
class First(Job):
    phase: ClassVar[int] = 0
    number: int

    def label(self):
        return f"{type(self).__name__} {self.number}"

    def work(self, workshop):
        if self.number < 0:
            raise ValueError("negative")
        return {"process": os.getpid()}


@dataclasses.dataclass(frozen=True)
class Second(First):
    phase: ClassVar[int] = 1


@dataclasses.dataclass(frozen=True)
class Alone(First):
    phase: ClassVar[int] = 1
    parallel: ClassVar[bool] = False


def test_missing_jobs_come_once_and_by_phase(tmp_path):
    store = Store(tmp_path)
    jobs = [Second(1), First(2), Second(1), Alone(3), First(1)]
    assert runner.missing(jobs, store) == [First(2), First(1), Second(1), Alone(3)]
    store.do(First(2), runner.Workshop(Sources(tmp_path, "digits")))
    assert runner.missing(jobs, store) == [First(1), Second(1), Alone(3)]


def test_jobs_are_done_in_order_and_told(tmp_path):
    sources = Sources(tmp_path, "digits")
    told = []
    runner.do([First(1), Second(2), Alone(3)], sources, done=told.append)
    assert told == [First(1), Second(2), Alone(3)]
    assert runner.missing(told, Store(tmp_path)) == []


def test_a_failure_names_its_job_and_keeps_what_was_done(tmp_path):
    sources = Sources(tmp_path, "digits")
    jobs = [First(1), Second(-1), Second(2)]
    with pytest.raises(ValueError, match="Second -1: negative"):
        runner.do(jobs, sources)
    assert runner.missing(jobs, Store(tmp_path)) == [Second(-1), Second(2)]


@pytest.mark.slow
def test_processes_share_the_work_and_print_nothing(quick, tmp_path, capfd):
    """On jobs of the package, which a new process can import."""
    # no network of Keras builds as fast as this one fails to
    subjects = [
        dataclasses.replace(quick.of("mobilenet"), dense_epochs=1, data=f"data{i}")
        for i in range(2)
    ]
    jobs = [Dense(subject) for subject in subjects]
    with pytest.raises(ValueError, match="mobilenet dense: No data at"):
        runner.do(jobs, Sources(tmp_path, str(pathlib.Path("nowhere"))), processes=2)
    assert runner.missing(jobs, Store(tmp_path)) == jobs
    assert capfd.readouterr() == ("", "")
