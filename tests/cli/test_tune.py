import json
import os
import platform

import pytest

from tfmot_onexn import targets
from tfmot_onexn.tvm import extra, kernel_bench, tiles, tune, tuning_database

ELSEWHERE = "x86-64-v3" if platform.machine() == "aarch64" else "aarch64-linux-gnu"


@pytest.fixture(scope="module")
def tflite_file(model_file, tmp_path_factory):
    from tfmot_onexn.networks import models
    from tfmot_onexn.tflite.convert import convert_to_tflite

    path = tmp_path_factory.mktemp("files") / "dense.tflite"
    convert_to_tflite(models.load(model_file), path)
    return path


@pytest.fixture
def steady(monkeypatch):
    """Lets every kernel but the processor's own take half of its time."""
    monkeypatch.setattr(
        kernel_bench.Loaded,
        "seconds",
        lambda self, name: (2e-6, 4e-6) if name == "tile_0" else (1e-6, 2e-6),
    )


def test_what_is_found_is_shown_and_written(onexn, tflite_file, tmp_path, steady):
    path = tmp_path / "tuned.json"
    code, output, errors = onexn("tune", tflite_file, "-o", path, "--quick")
    assert code == 0, errors
    assert os.listdir(tmp_path) == ["tuned.json"]
    [(isa, found)] = tuning_database.load(path).entries.items()
    assert isa in tiles.ISAS
    assert any(key.startswith("depthwise 1x") for key in found)
    for choice in found.values():
        assert choice.gain == 2
        assert choice.applied(tiles.ISAS[isa]) != tiles.ISAS[isa]
    assert output.count("2.00×") == len(found)
    assert "depthwise 1x" in output
    assert f"Wrote {path}: of {len(found)} kernels for {isa}, {len(found)}" in output
    [entry, *_] = json.loads(path.read_text())["entries"][isa].values()
    assert entry["machine"]
    assert entry["tvm"].startswith("0.27")


def test_a_keras_model_is_converted_first(
    onexn, model_file, tflite_file, tmp_path, monkeypatch
):
    given = []
    monkeypatch.setattr(
        tune, "tune", lambda kernels, *_, **__: given.append(kernels) or []
    )
    for file in (model_file, tflite_file):
        code, _, errors = onexn("tune", file, "-o", tmp_path / "t.json", "--quick")
        assert code == 0, errors
    one, other = [list(map(tuning_database.signature, kernels)) for kernels in given]
    assert one == other
    assert any(key and key.startswith("depthwise 1x") for key in one)
    assert os.listdir(tmp_path) == ["t.json"]


def test_kernels_run_on_another_device(
    onexn, tflite_file, tmp_path, steady, monkeypatch
):
    asked = []

    def connected(tvm_target, machine, host, port):
        asked.append((machine.name, host, port))
        if port == 9090:
            raise ValueError("nobody there")
        return kernel_bench.Local(tvm_target)

    monkeypatch.setattr(kernel_bench, "Remote", connected)
    path = tmp_path / "t.json"
    for address, expected in (("board", 1), ("board:9191", 0)):
        options = ("--rpc", address, "-o", path, "--quick")
        code, _, errors = onexn("tune", tflite_file, *options)
        assert code == expected, errors
    assert asked == [("host", "board", 9090), ("host", "board", 9191)]
    assert "host at board:9191" in path.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--target", ELSEWHERE),
            f"Kernels for {ELSEWHERE} cannot be timed here",
        ),
        (("--target", "pdp-11"), "Unknown target 'pdp-11'"),
        (("--rpc", "board:http"), "--rpc is 'board:http', expected HOST or HOST:PORT"),
        (("--rpc", "127.0.0.1:1"), "No RPC server answers at 127.0.0.1:1"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    onexn, tflite_file, tmp_path, options, message
):
    assert ELSEWHERE in targets.TARGETS
    code, output, errors = onexn(
        "tune", tflite_file, "-o", tmp_path / "t.json", *options
    )
    assert (code, output) == (1, "")
    assert errors.startswith(f"onexn tune: {message}")
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_a_foreign_file_is_refused_before_the_work(onexn, tmp_path):
    path = tmp_path / "package.json"
    path.write_text("{}")
    code, _, errors = onexn("tune", "none.tflite", "-o", path)
    assert code == 1
    assert "package.json is no tuning database" in errors
    assert path.read_text() == "{}"


def test_a_missing_extra_is_told_with_the_remedy(onexn, tmp_path, monkeypatch):
    monkeypatch.setitem(extra._PACKAGES, "no_such_module", "no-such-package")
    code, _, errors = onexn("tune", "none.tflite", "-o", tmp_path / "t.json")
    assert code == 1
    assert errors.endswith("missing: pip install tfmot-onexn[tvm].\n")
