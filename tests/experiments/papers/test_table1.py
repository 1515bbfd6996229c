"""The page of `table1`, from results that need no training."""

import dataclasses

from paper_results import assert_whole

from tfmot_onexn.experiments.papers.table1 import TABLE1


def page_of(setting, store, seeds=2):
    store.fill(TABLE1.jobs(setting, seeds))
    return TABLE1.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == TABLE1.name == "table1"
    assert_whole(page)


def test_rows_set_the_search_beside_none_and_the_published_numbers(quick, store):
    table, kept = page_of(quick, store).tables
    assert [row[0] for row in table.rows] == ["4", "16"]
    four = dict(zip(table.header, table.rows[0], strict=True))
    assert four["none"] == "75.1 ± 0.7"
    assert four["swaps over none"].startswith("+0.5 (-")
    assert four["swaps over l1"] == four["swaps over none"]
    assert four["l1 over none"].startswith("+0.0 (-")
    assert kept.rows[0] == ("4", *["0.600"] * 3, *["10.0"] * 3)
    assert (four["published, none"], four["published, l1"]) == ("69.52", "69.58")


def test_sizes_that_were_not_published_have_dashes(quick, store):
    setting = dataclasses.replace(quick, sizes=(3,))
    table, _ = page_of(setting, store).tables
    assert table.rows[0][-2:] == ("–", "–")
