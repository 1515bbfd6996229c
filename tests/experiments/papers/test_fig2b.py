"""The page of `fig2b`, from results that need no training."""

import numpy as np
import pytest
from paper_results import assert_whole

from tfmot_onexn.experiments.papers.fig2b import FIG2B, Kept
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop


def page_of(setting, store, seeds=2):
    store.fill(FIG2B.jobs(setting, seeds))
    return FIG2B.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == FIG2B.name == "fig2b"
    assert_whole(page)


def test_layers_stand_in_rows_and_orders_in_columns(quick, store):
    (table,) = page_of(quick, store).tables
    assert [row[0] for row in table.rows] == ["first", "second", "mean of layers"]
    mean = dict(zip(table.header, table.rows[-1], strict=True))
    assert (mean["1×4 none"], mean["1×16 swaps"]) == ("0.450", "0.650")


def test_what_is_kept_is_measured_on_the_network(quick, small_networks, tmp_path):
    subject = quick.of("mobilenet_v2")
    workshop = Workshop(Sources(tmp_path, "digits"))
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    found = {
        way: Kept(subject, 4, way).work(workshop)
        for way in ("none", "l1", "swaps", "weights")
    }
    assert list(found["none"]) == ["pw0", "pw1"]
    kernel = np.abs(workshop.dense(subject).get_layer("pw1").kernel.numpy()[0, 0])
    sums = np.sort(kernel.reshape(kernel.shape[0], -1, 4).sum(-1).ravel())
    expected = sums[sums.size // 2 :].sum() / kernel.sum()
    assert found["none"]["pw1"] == pytest.approx(expected)
    for name in ("pw0", "pw1"):
        shares = [found[way][name] for way in ("none", "swaps", "weights")]
        assert shares == sorted(shares)
