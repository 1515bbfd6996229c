"""The page of `balance`, from results that need no training."""

import numpy as np
from paper_results import assert_whole

from tfmot_onexn.experiments.papers import balance
from tfmot_onexn.experiments.papers.balance import BALANCE
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop


def page_of(setting, store, seeds=2):
    store.fill(BALANCE.jobs(setting, seeds))
    return BALANCE.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == BALANCE.name == "balance"
    assert_whole(page)


def test_the_busiest_thread_is_set_against_the_mean():
    rows = np.array([1, 3, 4, 8])
    assert balance.imbalance(rows, 1) == 1
    assert balance.imbalance(rows, 2) == 12 / 8
    assert balance.imbalance(rows, 4) == 8 / 4
    # more threads than rows: some have nothing to do
    assert balance.imbalance(rows, 8) == 8 / 2
    assert balance.imbalance(np.full(8, 5), 4) == 1


def test_uniform_rows_are_in_balance(quick, store):
    page = page_of(quick, store)
    for table in page.tables:
        rows = {row[0]: row[1:] for row in table.rows}
        assert rows["plain"][1] == "1.50"
        assert rows["uniform"][:3] == ("1.00", "1.00", "1.00")
        assert rows["uniform"][-1] == "0.00"


def test_blocks_are_counted_on_the_network(quick, small_networks, tmp_path):
    subject = quick.of("mobilenet")
    workshop = Workshop(Sources(tmp_path, "digits"))
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    plain = balance.RowCounts(subject, 4, "none", False).work(workshop)
    uniform = balance.RowCounts(subject, 4, "swaps", True).work(workshop)
    # 8 x 16 and 16 x 32 kernels, half of the blocks kept
    assert {name: sum(rows) for name, rows in plain.items()} == {"pw0": 16, "pw1": 64}
    assert uniform == {"pw0": [4] * 4, "pw1": [8] * 8}
