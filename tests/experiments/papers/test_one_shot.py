"""The page of `one_shot`, and its measurement on a small network."""

import dataclasses

import pytest
from paper_results import assert_whole

from tfmot_onexn.experiments.one_shot import Case
from tfmot_onexn.experiments.papers import one_shot
from tfmot_onexn.experiments.papers.one_shot import ONE_SHOT, OneShot
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop


def page_of(setting, store, seeds=2):
    store.fill(ONE_SHOT.jobs(setting, seeds))
    return ONE_SHOT.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == ONE_SHOT.name == "one_shot"
    assert_whole(page)


def test_recovery_is_set_against_the_baseline_on_the_odd_images(quick, store):
    table, _ = page_of(quick, store).tables
    rows = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    by_treatment = {row["treatment"]: row for row in rows}
    found = {name: row["recovered"] for name, row in by_treatment.items()}
    assert found == {"mask": "-50 %", "batch_norm": "0 %", "resolved": "50 %"}
    resolved = by_treatment["resolved"]
    assert (resolved["top-1"], resolved["all"]) == ("75.0", "37.5")
    assert resolved["of all"] == "17 %"


def test_every_row_has_its_baseline_and_a_second_seed_where_it_matters(quick):
    setting = dataclasses.replace(quick, name="small")
    found = one_shot.cases(setting, 3)
    assert len(found) == len(set(found)) == 2 * (27 + 4)
    assert {case.baseline for case in found} <= set(found)
    assert {case.seed for case in found} == {0, 1}
    assert len(one_shot.cases(quick, 1)) == 2 * 9


def test_odd_images_are_those_of_odd_positions():
    assert one_shot.shares("0101") == (1.0, 0.5)
    assert one_shot.shares("1010") == (0.0, 0.5)


def test_a_network_is_pruned_on_its_training_images(quick, small_networks, tmp_path):
    subject = quick.of("mobilenet")
    workshop = Workshop(Sources(tmp_path, "digits"))
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    case = Case(4, 0.5, "none", "resolved")
    found = OneShot(subject, case, count=16).work(workshop)
    assert len(found["hits"]) == 64
    assert found["parameters_removed"] == pytest.approx(0.5)
    dense = OneShot(subject, None).work(workshop)
    assert dense["parameters_removed"] == 0
    assert (
        OneShot(subject, case).label() == "mobilenet n4 none resolved per_layer seed0"
    )
