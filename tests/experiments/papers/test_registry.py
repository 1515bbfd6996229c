"""Named experiments: each from jobs to page, shared and resumed."""

import json

import clusters
import pytest
from paper_results import assert_whole, result_of

from tfmot_onexn.experiments.papers import registry
from tfmot_onexn.experiments.papers.jobs import Job
from tfmot_onexn.experiments.papers.workshop import Sources


@pytest.fixture
def done(monkeypatch):
    """Has jobs take `result_of` for their work; returns those done."""
    jobs = []

    def work(job, workshop):
        jobs.append(job)
        return result_of(job)

    for kind in _kinds(Job):
        if "work" in vars(kind):
            monkeypatch.setattr(kind, "work", work)
    return jobs


def _kinds(kind):
    for sub in kind.__subclasses__():
        yield sub
        yield from _kinds(sub)


@pytest.mark.parametrize("name", registry.EXPERIMENTS)
def test_an_experiment_runs_from_start_to_page(name, quick, done, tmp_path):
    sources = Sources(tmp_path, "digits")
    totals = []

    def progress(total, missing):
        totals.append((total, len(missing)))
        return lambda job: None

    page = registry.run(name, quick, sources, seeds=2, progress=progress)
    assert page.name == name
    assert_whole(page)
    assert "cores" in registry.provenance(name, quick, tmp_path, 2)
    count = len(done)
    again = registry.run(name, quick, sources, seeds=2, progress=progress)
    assert again == page
    assert len(done) == count
    assert totals == [(count, count), (count, 0)]


def test_experiments_share_what_they_have_in_common(quick, done, tmp_path):
    sources = Sources(tmp_path, "digits")
    registry.run("fig4", quick, sources, seeds=1)
    count = len(done)
    registry.run("fig5", quick, sources, seeds=1)
    assert [type(job).__name__ for job in done[count:]] == ["Latency"]


def test_more_seeds_train_only_those(quick, done, tmp_path):
    sources = Sources(tmp_path, "digits")
    registry.run("table1", quick, sources, seeds=1)
    count = len(done)
    registry.run("table1", quick, sources, seeds=2)
    assert {job.seed for job in done[count:]} == {1}


def test_an_unknown_name_lists_those_there_are():
    with pytest.raises(ValueError, match=r"Unknown experiment 'table3'.*table1.*fig4"):
        registry.require_known("table3")


@pytest.mark.slow
def test_two_workers_do_one_experiment(tmp_path):
    outputs = clusters.finish_well(
        clusters.start("-m", "replicated_experiment", tmp_path)
    )
    chief, other = (output.splitlines()[-1] for output in outputs)
    assert other == "null"
    found = json.loads(chief)["1×4"]
    assert set(found) == {"none", "l1", "swaps"}
    # one dense network and three trainings, written by the chief alone
    assert len(list(tmp_path.glob("*.json"))) == 4
    assert len(list(tmp_path.glob("*.npz"))) == 1
