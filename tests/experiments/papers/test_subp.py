"""The page of `subp`, from results that need no training."""

from paper_results import assert_whole

from tfmot_onexn.experiments.papers.subp import SUBP
from tfmot_onexn.experiments.papers.trainings import FromScratch


def page_of(setting, store, seeds=2):
    store.fill(SUBP.jobs(setting, seeds))
    return SUBP.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == SUBP.name == "subp"
    assert_whole(page)


def test_subp_stands_beside_fine_tuned_blocks(quick, store):
    first, second = page_of(quick, store).tables
    row = dict(zip(first.header, first.rows[0], strict=True))
    assert (row["N"], row["SUBP"], row["1×N"]) == ("16", "76.5 ± 0.7", "74.4 ± 0.7")
    assert row["SUBP over 1×N"].startswith("+2.1 (")
    assert (row["published, SUBP"], row["published, 1×N"]) == ("71.5", "69.6")
    assert second.rows[0][-2:] == ("–", "–")


def test_every_seed_has_first_weights_and_a_lot_of_its_own(quick):
    jobs = [job for job in SUBP.jobs(quick, 3) if isinstance(job, FromScratch)]
    assert len(jobs) == 2 * 3
    assert all(job.seed == job.variant.soft.seed for job in jobs)
