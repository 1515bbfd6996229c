import json

import pytest

from tfmot_onexn.experiments.speed import dense_rival
from tfmot_onexn.experiments.speed.dense_rival import DENSE, ONEXN, RIVAL, Plan
from tfmot_onexn.tvm import metaschedule

SMALL = Plan("mobilenet", 8, 0.5, trials=8, size=32, alpha=0.25, rounds=2, runs=2)


@pytest.fixture(scope="module")
def measured(tmp_path_factory, small_mobilenet):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metaschedule, "_POPULATION", 32)
        patch.setattr(metaschedule, "_GENERATIONS", 1)
        return dense_rival.measure(SMALL, tmp_path_factory.mktemp("search"))


def test_every_build_runs_in_both_runtimes(measured):
    assert {(each.name, each.runtime) for each in measured.results} == {
        (name, runtime)
        for name in (DENSE, ONEXN, RIVAL)
        for runtime in ("tvm_vm", "tvm_plan")
    }
    assert [row.runtime for row in measured.rows].count("litert") == 1
    assert len(measured.rows) == 7
    assert all(row.median_ms > 0 and row.size_bytes > 0 for row in measured.rows)
    assert measured.trials >= SMALL.trials
    assert measured.seconds > 0


def test_builds_are_set_against_each_other(measured):
    by_key = {(each.name, each.runtime): each for each in measured.results}
    for (_, runtime), each in by_key.items():
        ours = by_key[ONEXN, runtime].median_ms
        assert each.onexn_over.value == pytest.approx(each.median_ms / ours)
        assert each.over_stock.value == pytest.approx(
            measured.stock_ms / each.median_ms
        )
    assert by_key[ONEXN, "tvm_plan"].onexn_over.value == 1


def test_rows_tell_the_pruned_network(measured):
    pruned = [row for row in measured.rows if row.n == 8]
    assert {row.runtime for row in pruned} == {"tvm_vm", "tvm_plan"}
    for row in pruned:
        assert (row.sparsity, row.variant) == (0.5, "onexn")
        assert row.nonzero_macs < row.macs


@pytest.mark.parametrize(
    ("options", "trials"),
    [(["--quick"], dense_rival.QUICK.trials), (["--trials", "77"], 77)],
)
def test_what_is_printed_and_written(
    measured, options, trials, monkeypatch, tmp_path, capsys
):
    asked = []

    def given(plan, folder, track):
        asked.append((plan.trials, folder.parent))
        return measured

    monkeypatch.setattr(dense_rival, "measure", given)
    dense_rival.main([*options, "--out", str(tmp_path)])
    assert asked == [(trials, tmp_path)]
    output = capsys.readouterr().out
    assert "mobilenet in TVM" in output
    assert "dense, TVM's operators tuned by MetaSchedule" in output
    document = json.loads((tmp_path / "dense_rival.json").read_text())
    assert len(document["rows"]) == 7
    assert len(document["comparisons"]) == 6
    assert document["trials"] == measured.trials
