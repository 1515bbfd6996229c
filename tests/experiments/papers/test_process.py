"""A process that does jobs; `test_runner` starts some."""

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
