import json
import os
import warnings

import pytest

from tfmot_onexn.tvm import build, export, extra, manifest


def test_a_model_is_exported_and_timed(onexn, model_file, tmp_path):
    folder, rows = tmp_path / "out", tmp_path / "rows.json"
    code, output, errors = onexn("export", model_file, "-o", folder)
    assert (code, errors) == (0, "")
    artifacts = manifest.read(folder)["artifacts"]
    assert [each["path"] for each in artifacts] == [
        *("model.tflite", "host/model.so", "host/plan"),
    ]
    assert output.splitlines() == [
        *(
            f"Wrote {folder / each['path']}: {each['size_bytes'] / 1e6:.2f} MB."
            for each in artifacts
        ),
        f"Wrote {folder / 'manifest.json'}.",
    ]
    assert os.listdir(tmp_path) == ["out"]
    paths = [folder / each["path"] for each in artifacts]
    code, _, _ = onexn("benchmark", *paths, "--runs", 3, "--json", rows)
    assert code == 0
    timed = json.loads(rows.read_text())["rows"]
    runtimes = [row["runtime"] for row in timed]
    assert runtimes == ["litert", "litert", "tvm_vm", "tvm_plan"]
    # a busy machine makes rows noisy, which says nothing about the files
    assert {row["status"] for row in timed} <= {"ok", "noisy"}


def test_targets_and_formats_are_chosen(onexn, model_file, tmp_path):
    folder = tmp_path / "out"
    code, _, errors = onexn(
        *("export", model_file, "-o", folder, "--format", "vm", "--float16"),
        *("--target", "x86-64-v3,armv7-linux-gnueabihf"),
    )
    assert (code, errors) == (0, "")
    document = manifest.read(folder)
    assert document["dtype"] == "float16"
    assert [each["path"] for each in document["artifacts"]] == [
        *("model.tflite", "x86-64-v3/model.so", "armv7-linux-gnueabihf/model.so"),
    ]


def test_what_builds_remark_is_a_line_once(onexn, model_file, tmp_path, monkeypatch):
    def remarking(*arguments, **options):
        warnings.warn("TVM's own code computes some layer.", stacklevel=1)
        build.build(*arguments, **options)

    monkeypatch.setattr(export, "build", remarking)
    code, _, errors = onexn("export", model_file, "-o", tmp_path / "out")
    assert code == 0
    assert errors == "onexn export: TVM's own code computes some layer.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.tflite",), "Cannot read none.tflite: No such file"),
        (("none.keras",), "No model at none.keras"),
        ((None, "--target", "host,pdp-11"), "Unknown target 'pdp-11'; choose one of"),
        (
            (None, "--target", "aarch64-linux-android", "--format", "vm"),
            "is not built for it; a plan does without: ask for the format plan.",
        ),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    onexn, model_file, tmp_path, arguments, message
):
    model, *options = arguments
    code, output, errors = onexn(
        "export", model or model_file, "-o", tmp_path / "out", *options
    )
    assert (code, output) == (1, "")
    assert errors.startswith("onexn export: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_missing_extra_is_told_before_the_work(onexn, tmp_path, monkeypatch):
    monkeypatch.setitem(extra._PACKAGES, "no_such_module", "no-such-package")
    code, _, errors = onexn("export", "none.keras", "-o", tmp_path / "out")
    assert code == 1
    assert errors == (
        "onexn export: TVM is not installed; no-such-package missing: pip install "
        "tfmot-onexn[tvm].\n"
    )
