import json

import pytest


@pytest.fixture(scope="module")
def tflite_file(model_file, tmp_path_factory):
    from tfmot_onexn.networks import models
    from tfmot_onexn.tflite.convert import convert_to_tflite

    path = tmp_path_factory.mktemp("files") / "dense.tflite"
    convert_to_tflite(models.load(model_file), path)
    return path


def test_files_are_timed_and_written_as_json(onexn, tflite_file, tmp_path):
    rows = tmp_path / "rows.json"
    code, output, _ = onexn(
        *("benchmark", tflite_file, "--runs", 3, "--runtimes", "litert,tf_lite"),
        *("--json", rows),
    )
    assert code == 0
    assert "dense" in output
    assert "LiteRT" in output
    document = json.loads(rows.read_text())
    assert [row["runtime"] for row in document["rows"]] == ["litert", "tf_lite"]
    assert document["rows"][0]["speedup"] == 1.0
    assert document["rows"][0]["runs"] == 3
    assert document["machine"]["cores"] >= 1


def test_each_file_is_timed_with_and_without_the_delegate(onexn, tflite_file, tmp_path):
    rows = tmp_path / "rows.json"
    code, output, _ = onexn("benchmark", tflite_file, "--runs", 2, "--json", rows)
    assert code == 0
    assert "dense + delegate" in output
    stock, ours = json.loads(rows.read_text())["rows"]
    assert (stock["runtime"], stock["delegate"]) == ("litert", None)
    assert (ours["runtime"], ours["delegate"]) == ("litert", "onexn")
    assert stock["speedup"] == 1.0
    assert ours["speedup"] == pytest.approx(stock["median_ms"] / ours["median_ms"])


def test_a_failed_row_stays_and_only_all_failed_fails(onexn, tflite_file, tmp_path):
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"no model at all")
    rows = tmp_path / "rows.json"
    code, output, _ = onexn("benchmark", bad, tflite_file, "--runs", 2, "--json", rows)
    assert code == 0
    assert "failed" in output
    statuses = [row["status"] for row in json.loads(rows.read_text())["rows"]]
    assert [status == "failed" for status in statuses] == [True, True, False, False]
    code, _, _ = onexn("benchmark", bad, "--runs", 2)
    assert code == 1


def test_a_missing_runtime_is_a_failed_row_with_the_remedy(onexn, tflite_file):
    code, output, _ = onexn(
        "benchmark", tflite_file, "--runs", 2, "--runtimes", "tflite_runtime"
    )
    assert code == 1
    assert "pip" in output


def test_a_device_is_named_and_one_that_is_not_there_fails(
    onexn, tflite_file, tmp_path
):
    command = ("benchmark", tflite_file, "--runs", 1)
    code, _, errors = onexn(*command, "--device", "phone")
    assert code == 1
    assert "Unknown device 'phone'; choose one of local, qemu-aarch64" in errors
    code, _, errors = onexn(*command, "--delegate", tmp_path / "none")
    assert code == 1
    assert "--benchmark-model need a --device" in errors
    code, _, errors = onexn(
        *command, "--device", "qemu-aarch64", "--benchmark-model", tmp_path / "none"
    )
    assert code == 1
    assert f"No file at {tmp_path / 'none'}" in errors
    rows = tmp_path / "rows.json"
    code, output, _ = onexn(*command, "--device", "qemu-aarch64", "--json", rows)
    assert code == 1
    assert "Latency on qemu-aarch64" in output
    assert "On qemu-aarch64, from " in output
    for row in json.loads(rows.read_text())["rows"]:
        assert (row["status"], row["emulated"]) == ("failed", True)
        assert row["median_ms"] is None
