import json
import os
import pathlib
import warnings

import pytest

from tfmot_onexn.tvm import build, extra, trailer


@pytest.fixture(scope="module")
def tflite_file(model_file, tmp_path_factory):
    from tfmot_onexn.networks import models
    from tfmot_onexn.tflite.convert import convert_to_tflite

    path = tmp_path_factory.mktemp("files") / "dense.tflite"
    convert_to_tflite(models.load(model_file), path)
    return path


def test_a_file_is_built_and_timed_beside_its_build(onexn, tflite_file, tmp_path):
    path, rows = tmp_path / "m.so", tmp_path / "rows.json"
    code, output, errors = onexn("build", tflite_file, "-o", path)
    assert (code, errors) == (0, "")
    size = path.stat().st_size
    assert output.startswith(f"Wrote {path}: {size / 1e6:.2f} MB, for ")
    code, output, _ = onexn("benchmark", tflite_file, path, "--runs", 3, "--json", rows)
    assert code == 0
    assert "dense in TVM" in output
    stock, delegated, ours = json.loads(rows.read_text())["rows"]
    assert [row["runtime"] for row in (stock, ours)] == ["litert", "tvm_vm"]
    assert delegated["delegate"] == "onexn"
    assert (ours["artifact"], ours["target"]) == ("m.so", "host")
    assert ours["macs"] == stock["macs"]
    assert ours["speedup"] == pytest.approx(stock["median_ms"] / ours["median_ms"])


def test_a_plan_is_built_and_timed(onexn, tflite_file, tmp_path):
    folder, rows = tmp_path / "plan", tmp_path / "rows.json"
    code, output, errors = onexn("build", tflite_file, "-o", folder, "--format", "plan")
    assert (code, errors) == (0, "")
    assert output.startswith(f"Wrote {folder}: ")
    assert (folder / "benchmark").exists()
    code, _, _ = onexn("benchmark", tflite_file, folder, "--runs", 3, "--json", rows)
    assert code == 0
    row = json.loads(rows.read_text())["rows"][-1]
    assert (row["artifact"], row["runtime"]) == ("plan", "tvm_plan")
    assert row["median_ms"] > 0


def test_tiles_that_were_tuned_go_into_the_build(
    onexn, tflite_file, tmp_path, monkeypatch
):
    from tfmot_onexn.tvm import processors, rewrite, tiles, tuning_database
    from tfmot_onexn.tvm.tune import kernels_of

    tile = processors.processor("host")[1]
    kernel = next(k for k in kernels_of(tflite_file, tile) if hasattr(k, "channels"))
    code = tuning_database.fingerprint(kernel, tile)
    choice = tuning_database.Choice({"depthwise": 3}, 2.0, 1.0, 2.0, code)
    tuning_database.write(
        *(tmp_path / "tuned.json", tiles.isa(tile)),
        {tuning_database.signature(kernel): choice},
        machine="m",
        tvm="0.27",
    )
    seen, rewritten = [], rewrite.rewrite

    def watched(module, tile, choose, **options):
        seen.append(choose(kernel).depthwise)
        return rewritten(module, tile, choose, **options)

    monkeypatch.setattr(rewrite, "rewrite", watched)
    for tuned in ([], ["--tuned", tmp_path / "tuned.json"]):
        code, _, errors = onexn("build", tflite_file, "-o", tmp_path / "m.so", *tuned)
        assert code == 0, errors
    assert seen == [tile.depthwise, 3]


def test_a_file_that_no_tuning_wrote_is_refused(onexn, tflite_file, tmp_path):
    path = tmp_path / "m.so"
    code, _, errors = onexn("build", tflite_file, "-o", path, "--tuned", tflite_file)
    assert code == 1
    assert f"{tflite_file} is no tuning database" in errors
    assert not path.exists()


def test_layers_are_kept_apart(onexn, tflite_file, tmp_path, monkeypatch):
    fused = []

    def built(source, path, *, fuse, **_):
        fused.append(fuse)
        pathlib.Path(path).touch()

    monkeypatch.setattr(build, "build_tvm", built)
    for options in ([], ["--no-fuse"]):
        path = tmp_path / "m.so"
        code, _, errors = onexn("build", tflite_file, "-o", path, *options)
        assert code == 0, errors
    assert fused == [True, False]


def test_a_keras_model_is_converted_first(onexn, model_file, tmp_path):
    code, _, errors = onexn("build", model_file, "-o", tmp_path / "m.so")
    assert code == 0, errors
    assert os.listdir(tmp_path) == ["m.so"]
    told = trailer.read(tmp_path / "m.so")
    assert told["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert told["row"]["variant"] == "dense"


def test_what_the_build_remarks_is_a_line_each(
    onexn, tflite_file, tmp_path, monkeypatch
):
    built = build.build_tvm

    def remarking(*arguments, **options):
        warnings.warn("TVM's own code computes some layer.", stacklevel=1)
        built(*arguments, **options)

    monkeypatch.setattr(build, "build_tvm", remarking)
    code, _, errors = onexn("build", tflite_file, "-o", tmp_path / "m.so")
    assert code == 0
    line = "onexn build: TVM's own code computes some layer.\n"
    assert errors == line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.tflite",), "Cannot read none.tflite: No such file"),
        (("none.keras",), "No model at none.keras"),
        ((__file__,), "test_build.py is neither a .keras, a .h5 nor a SavedModel. Sav"),
        (
            (None, "--target", "pdp-11"),
            "Unknown target 'pdp-11'; choose one of",
        ),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    onexn, tflite_file, tmp_path, arguments, message
):
    model, *options = arguments
    code, output, errors = onexn(
        "build", model or tflite_file, "-o", tmp_path / "m.so", *options
    )
    assert (code, output) == (1, "")
    assert errors.startswith("onexn build: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_missing_is_told_before_the_work(onexn, tflite_file, tmp_path):
    code, _, errors = onexn("build", tflite_file, "-o", tmp_path / "none" / "m.so")
    assert code == 1
    assert "Cannot write" in errors


def test_a_damaged_file_is_refused(onexn, tflite_file, tmp_path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(tflite_file.read_bytes()[:1000])
    code, _, errors = onexn("build", damaged, "-o", tmp_path / "m.so")
    assert code == 1
    assert "damaged.tflite is damaged or truncated" in errors
    assert os.listdir(tmp_path) == ["damaged.tflite"]


def test_a_missing_extra_is_told_with_the_remedy(
    onexn, tflite_file, tmp_path, monkeypatch
):
    monkeypatch.setitem(extra._PACKAGES, "no_such_module", "no-such-package")
    code, _, errors = onexn("build", tflite_file, "-o", tmp_path / "m.so")
    assert code == 1
    assert errors == (
        "onexn build: TVM is not installed; no-such-package missing: pip install "
        "tfmot-onexn[tvm].\n"
    )


def test_an_artifact_that_no_runtime_given_runs_is_told(onexn, tflite_file):
    code, _, errors = onexn("benchmark", tflite_file, "--runtimes", "tvm")
    assert code == 1
    assert "which tvm cannot run; add tflite to the runtimes" in errors
