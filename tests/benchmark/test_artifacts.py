import os

import pytest

from tfmot_onexn.benchmark import artifacts


def test_a_file_tells_its_variant(files):
    rows = {name: artifacts.row_of(path) for name, path in files.items()}
    assert {name: row.variant for name, row in rows.items()} == {
        "dense": "dense",
        "weight": "weight",
        "onexn": "onexn",
    }
    assert [rows[name].n for name in files] == [None, 1, 8]
    for name in ("weight", "onexn"):
        assert rows[name].sparsity == pytest.approx(0.5, abs=0.01)
        assert rows[name].nonzero_macs < rows[name].macs
        assert rows[name].size_bytes == os.path.getsize(files[name])
        assert rows[name].dtype == "float32"
    assert rows["dense"].nonzero_macs == rows["dense"].macs == rows["onexn"].macs


def test_a_file_that_is_none_is_a_failed_row(tmp_path):
    path = tmp_path / "text.tflite"
    path.write_text("no model at all")
    row = artifacts.row_of(path)
    assert row.status == "failed"
    assert "text.tflite is not a .tflite file" in row.error


def test_rows_tell_the_runtime_from_the_delegate(files, tmp_path):
    spelled = ["tf_lite", "tflite+delegate", "tflite+other", "tvm+delegate"]
    path = files["onexn"]
    rows = artifacts.time_rows(
        [(artifacts.row_of(path), path, name) for name in spelled], runs=2
    )
    assert [(row.runtime, row.delegate) for row in rows[:2]] == [
        ("tf_lite", None),
        ("litert", "onexn"),
    ]
    assert all(row.median_ms > 0 for row in rows[:2])
    assert "Unknown addition 'other'" in rows[2].error
    assert "Unknown addition 'delegate' to the runtime 'tvm'" in rows[3].error


def test_a_missing_delegate_is_a_failed_row(files, monkeypatch, tmp_path):
    """The process that times a file must not go on without it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "sitecustomize.py").write_text(
        "from tfmot_onexn.tflite import delegate_build\n"
        "delegate_build.LIBRARY = 'libmissing.so'\n"
    )
    path = files["onexn"]
    (row,) = artifacts.time_rows([(artifacts.row_of(path), path, "litert+delegate")])
    assert row.status == "failed"
    assert "The delegate is missing: there is no" in row.error


def test_timing_completes_the_rows(files, tmp_path):
    untimed = [(artifacts.row_of(path), path, "tflite") for path in files.values()]
    missing = str(tmp_path / "none.tflite")
    untimed.append((artifacts.row_of(missing), missing, "tflite"))
    rows = artifacts.time_rows(untimed, runs=5)
    *timed, failed = rows
    assert failed.status == "failed"
    assert failed.median_ms is None
    for row in timed:
        assert (row.runtime, row.threads, row.runs) == ("litert", 1, 5)
        assert row.p10_ms <= row.median_ms <= row.p90_ms
        assert row.speedup == pytest.approx(timed[0].median_ms / row.median_ms)
