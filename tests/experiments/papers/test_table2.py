"""The page of `table2`, from results that need no training."""

import pytest
from paper_results import assert_whole

from tfmot_onexn.experiments.papers.table2 import TABLE2


def page_of(setting, store, seeds=2):
    store.fill(TABLE2.jobs(setting, seeds))
    return TABLE2.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == TABLE2.name == "table2"
    assert_whole(page)


def test_each_network_has_a_table_of_all_variants(quick, store):
    page = page_of(quick, store)
    assert len(page.tables) == len(quick.networks)
    names = [row[0] for row in page.tables[0].rows]
    assert names == ["dense", "weight", "1×4", "1×16", "filter"]
    weight = page.tables[1].rows[1]
    assert weight[2].startswith("+18.0 (")
    assert weight[3] == "71.1"
    assert weight[4].startswith("+2.5 (")
    assert page.tables[1].rows[-1][4] == "–"
    assert page.values["mobilenet_v2"]["weight"] == pytest.approx([0.776, 0.786])
