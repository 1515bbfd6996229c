import json

import pytest

from tfmot_onexn.experiments import tables, tvm_speed
from tfmot_onexn.experiments.model_speed import Plan

SMALL = {"size": 32, "alpha": 0.25, "rounds": 2, "runs": 2}


@pytest.fixture(scope="module")
def measured():
    return tvm_speed.measure(Plan("mobilenet", ((8, 0.75),), **SMALL))


def test_every_file_runs_in_every_way(measured):
    ways = [(row.n, row.runtime, row.delegate, row.threads) for row in measured.rows]
    each = [
        ("litert", "onexn", 1),
        ("tvm_vm", None, 1),
        ("tvm_plan", None, 1),
        ("tvm_plan", None, 2),
    ]
    assert ways == [
        (None, "litert", None, 1),
        *((n, *way) for n in (None, 8) for way in each),
    ]
    for row in measured.rows:
        assert row.median_ms > 0
        assert row.speedup == pytest.approx(measured.dense_ms / row.median_ms)
        suffixes = {"litert": ".tflite", "tvm_vm": ".so", "tvm_plan": ".plan"}
        assert row.artifact.endswith(suffixes[row.runtime])


def test_results_are_those_of_the_rows(measured):
    dense, pruned = measured.files
    assert (dense.n, pruned.n, pruned.sparsity) == (None, 8, 0.75)
    rows = measured.rows
    assert pruned.plan_ms == pytest.approx(rows[7].median_ms)
    assert pruned.plan.value == pytest.approx(rows[7].speedup)
    assert pruned.machine.value == pytest.approx(rows[6].speedup)
    assert pruned.delegate.value == pytest.approx(rows[5].speedup)
    assert pruned.two_threads.value == pytest.approx(
        rows[7].median_ms / rows[8].median_ms
    )
    assert pruned.over_dense_plan.value == pytest.approx(
        rows[3].median_ms / rows[7].median_ms
    )
    assert dense.over_dense_plan.value == 1


def test_what_is_printed_and_written(measured, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(tvm_speed, "measure", lambda plan, track: measured)
    readme = tmp_path / "README.md"
    readme.write_text("{}\nold\n{}\n".format(*tvm_speed.MARKERS))
    tvm_speed.main(["--quick", "--out", str(tmp_path), "--readme", str(readme)])
    assert "Networks built with TVM" in capsys.readouterr().out
    document = json.loads((tmp_path / "tvm_speed.json").read_text())
    assert len(document["rows"]) == 9
    assert len(document["comparisons"]) == 2
    text = readme.read_text()
    assert "old" not in text
    assert "| mobilenet | 8 | 75 % |" in text
    assert "Again: `make bench-tvm`" in text


def test_the_readme_of_the_project_has_a_place_for_the_table(pytestconfig, tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text((pytestconfig.rootpath / "README.md").read_text())
    tables.replace_between(copy, tvm_speed.MARKERS, "new")
