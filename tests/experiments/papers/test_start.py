"""The page of `start`, from results that need no training."""

import dataclasses

import pytest
from paper_results import assert_whole

from tfmot_onexn.experiments.papers.start import COUNT, START
from tfmot_onexn.experiments.papers.trainings import Dense


def page_of(setting, store, seeds=2):
    store.fill(START.jobs(setting, seeds))
    return START.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == START.name == "start"
    assert_whole(page)


def test_each_case_starts_both_ways(quick, store):
    jobs = START.jobs(quick, 2)
    assert [type(job) for job in jobs].count(Dense) == 1
    counts = [job.calibration for job in jobs[1:]]
    assert counts.count(0) == counts.count(COUNT) == 2 * 2 * len(quick.sparsities)
    assert len({job.label() for job in jobs}) == len(jobs)


def test_the_calibrated_start_is_set_beside_the_masks(quick, store):
    (table,) = page_of(quick, store).tables
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert (row["blocks"], row["p"]) == ("1×4", "50 %")
    assert (row["before, masks"], row["before, calibrated"]) == ("10.0", "40.0")
    assert row["calibrated over masks"].startswith("+1.0 (-")


def test_it_needs_sizes_that_it_compares(quick, store):
    with pytest.raises(ValueError, match="is of N = 4 and 16; found 8"):
        START.jobs(dataclasses.replace(quick, sizes=(8,)), 1)
