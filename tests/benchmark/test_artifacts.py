import os
import pathlib

import pytest

from tfmot_onexn.benchmark import artifacts
from tfmot_onexn.tvm import extra, trailer


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


def test_a_tvm_build_tells_what_it_was_built_from(files, build):
    row, source = artifacts.row_of(build), artifacts.row_of(files["onexn"])
    assert row.artifact == "onexn.so"
    assert row.size_bytes == os.path.getsize(build)
    for name in ("variant", "n", "sparsity", "dtype", "macs", "nonzero_macs"):
        assert getattr(row, name) == getattr(source, name) is not None
    assert (row.target, row.status, row.model) == ("host", "ok", "onexn")


def test_a_tvm_build_is_timed_beside_its_file(files, build):
    spelled = [(files["dense"], "tflite"), (build, "tvm"), (build, "tvm_vm")]
    rows = artifacts.time_rows(
        [(artifacts.row_of(path), path, name) for path, name in spelled], runs=4
    )
    assert [row.runtime for row in rows] == ["litert", "tvm_vm", "tvm_vm"]
    for row in rows:
        assert (row.runs, row.delegate, row.threads) == (4, None, 1)
        assert row.speedup == pytest.approx(rows[0].median_ms / row.median_ms)


def test_what_is_no_build_for_this_machine_is_a_failed_row(build, tmp_path):
    content = bytearray(pathlib.Path(build).read_bytes())
    (tmp_path / "cut.so").write_bytes(content[:-1])
    (tmp_path / "text.so").write_text("no library")
    content[18] = 243  # the processor in the header
    (tmp_path / "damaged.so").write_bytes(content)
    names = {
        "cut": "cut.so is no TVM build of `onexn build`, or is cut off",
        "text": "text.so is no TVM build",
        "damaged": "damaged.so is damaged",
        "none": "Cannot read",
    }
    paths = [str(tmp_path / f"{name}.so") for name in names]
    untimed = [(artifacts.row_of(path), path, "tvm") for path in paths]
    for row, message in zip(untimed, names.values(), strict=True):
        assert row[0].status == "failed"
        assert message in row[0].error
    for row, message in zip(artifacts.time_rows(untimed), names.values(), strict=True):
        assert (row.status, row.runtime, row.median_ms) == ("failed", "tvm_vm", None)
        assert message in row.error


def test_a_build_for_another_machine_is_a_failed_row(build, tmp_path):
    told = trailer.read(build)
    library = pathlib.Path(build).read_bytes().partition(b'{"schema"')[0]
    other = bytearray(library)
    other[18] = 243
    path = tmp_path / "riscv.so"
    path.write_bytes(other)
    trailer.append(path, {**told, "target": "riscv"})
    row = artifacts.row_of(path)
    assert (row.status, row.target) == ("ok", "riscv")
    (timed,) = artifacts.time_rows([(row, str(path), "tvm")])
    assert timed.status == "failed"
    assert "riscv.so is built for riscv (processor 243), this machine is" in timed.error


def test_a_missing_extra_is_a_failed_row(build, monkeypatch):
    monkeypatch.setitem(extra._VERSIONS, "apache-tvm", "0.99")
    (row,) = artifacts.time_rows([(artifacts.row_of(build), build, "tvm")])
    assert row.status == "failed"
    assert (
        "does not work here, expected 0.99: pip install tfmot-onexn[tvm]" in row.error
    )
