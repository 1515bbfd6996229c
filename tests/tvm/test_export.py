import os
import pathlib

import numpy as np
import pytest
import tvm_networks
from graphs import relative_error, small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import builds, extra, manifest, plan_runtime, vm_runtime
from tfmot_onexn.tvm.export import export

ANDROID = "aarch64-linux-android"


@pytest.fixture(scope="module")
def wrapped():
    """A network whose output is its last feature map, in its pruning wrappers."""
    return prune.prune_low_magnitude_1xN(
        tvm_networks.network("mobilenet_v2"),
        16,
        pruning_policy=policy.PruneConvolutions(),
        rearrange="none",
    )


@pytest.fixture(scope="module")
def exported(wrapped, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "v2"
    document = export(wrapped, folder)
    assert document == manifest.read(folder)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "tiny.tflite"
    convert.convert_to_tflite(randomize(small_network(width=3)), path)
    return path


@pytest.fixture
def no_kit(monkeypatch):
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)


def files_in(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in pathlib.Path(folder).rglob("*")
        if path.is_file()
    }


def test_all_artifacts_compute_what_the_model_does(exported, wrapped):
    x = tvm_networks.image()
    expected = prune.strip_pruning(wrapped)(x).numpy()
    [in_machine] = vm_runtime.load(exported / "host" / "model.so").run([x])
    with plan_runtime.Plan(exported / "host" / "plan") as plan:
        [planned] = plan.run(x)
    stock = tvm_networks.stock(exported / "model.tflite", x)
    for found in (stock, in_machine, planned):
        assert relative_error(found, expected) <= 1e-5
    dense = tvm_networks.network("mobilenet_v2")(x).numpy()
    assert relative_error(planned, dense) > 0.1


def test_the_manifest_tells_of_the_network(exported, wrapped):
    document = manifest.read(exported)
    assert document["model"] == wrapped.name
    assert (document["variant"], document["n"]) == ("onexn", 16)
    assert document["sparsity"] == pytest.approx(0.5, abs=0.02)
    [given], [result] = document["inputs"], document["outputs"]
    assert (given["shape"], given["dtype"]) == ([1, 64, 64, 3], "float32")
    assert result["shape"] == [1, 2, 2, 1280]
    assert document["versions"]["apache-tvm"].startswith("0.27")
    assert [
        (each["path"], each["kind"], each["target"]) for each in document["artifacts"]
    ] == [
        ("model.tflite", "tflite", None),
        ("host/model.so", "vm", "host"),
        ("host/plan", "plan", "host"),
    ]


def test_the_folder_holds_what_the_manifest_lists_and_nothing_else(exported):
    assert manifest.paths(exported) == {exported / path for path in files_in(exported)}
    assert os.listdir(exported.parent) == ["v2"]
    for each in manifest.read(exported)["artifacts"]:
        assert each["size_bytes"] == builds.size(exported / each["path"])


def test_a_damaged_artifact_is_refused(file, tmp_path):
    export(file, tmp_path / "out", format="plan")
    weights = tmp_path / "out" / "host" / "plan" / "weights.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match=r"weights\.bin is damaged: it has another ch"):
        manifest.read(tmp_path / "out")


def test_a_file_is_copied_and_built_for_several_targets(file, tmp_path):
    steps = []
    names = ("x86-64-v3", "aarch64-linux-gnu", "x86-64-v3")
    document = export(file, tmp_path / "out", targets=names, progress=steps.append)
    assert (tmp_path / "out" / "model.tflite").read_bytes() == file.read_bytes()
    assert document["model"] == "tiny"
    paths = [each["path"] for each in document["artifacts"]]
    assert paths == [
        "model.tflite",
        *("x86-64-v3/model.so", "x86-64-v3/plan"),
        *("aarch64-linux-gnu/model.so", "aarch64-linux-gnu/plan"),
    ]
    for path in paths[1:]:
        told = builds.describe(tmp_path / "out" / path)
        assert (told["target"], told["model"]) == (path.split("/")[0], "tiny")
    of_each = ("Importing", "Choosing kernels", "Compiling")
    assert steps[:3] == [f"{step}: x86-64-v3, vm" for step in of_each]
    assert steps[-1] == "Compiling: aarch64-linux-gnu, plan"


def test_half_precision(file, tmp_path):
    model = randomize(small_network(width=3))
    document = export(model, tmp_path / "out", format="vm", float16=True)
    assert (document["dtype"], document["model"]) == ("float16", "small")
    size = document["artifacts"][0]["size_bytes"]
    assert size < 0.7 * file.stat().st_size
    x = np.ones((1, 8, 8, 3), np.float32)
    [found] = vm_runtime.load(tmp_path / "out" / "host" / "model.so").run([x])
    stock = tvm_networks.stock(tmp_path / "out" / "model.tflite", x)
    assert relative_error(found, stock) <= 1e-5
    with pytest.raises(ValueError, match=r"tiny\.tflite is converted already"):
        export(file, tmp_path / "half", float16=True)


def test_an_export_is_replaced_as_a_whole(file, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    export(file, folder, format="vm")
    export(file, folder, targets="x86-64-v3", format="plan")
    assert not (folder / "host").exists()
    assert manifest.read(folder)["artifacts"][1]["path"] == "x86-64-v3/plan"
    assert os.listdir(tmp_path) == ["out"]


def test_what_is_no_export_is_not_replaced(file, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "photo.jpg").touch()
    with pytest.raises(ValueError, match=r"out: it exists and is no export\. Name a"):
        export(file, folder)
    with pytest.raises(ValueError, match=r"photo\.jpg: it exists and is no export"):
        export(file, folder / "photo.jpg")
    (folder / "photo.jpg").unlink()
    export(file, folder, format="plan")
    (folder / "host" / "photo.jpg").touch()
    before = files_in(folder)
    with pytest.raises(ValueError, match=r"out: it holds host/photo\.jpg, which is of"):
        export(file, folder)
    assert files_in(folder) == before
    monkeypatch.chdir(folder / "host")
    with pytest.raises(ValueError, match=r"\.\.: this program runs in it"):
        export(file, "..")


def test_a_target_that_fails_leaves_what_was_there(file, tmp_path, no_kit):
    asked = {"targets": ("host", ANDROID), "format": "plan"}
    with pytest.raises(ValueError, match="a plan for Android needs the Android NDK"):
        export(file, tmp_path / "out", **asked)
    assert os.listdir(tmp_path) == []
    export(file, tmp_path / "out", format="plan")
    before = files_in(tmp_path)
    with pytest.raises(ValueError, match="a plan for Android needs the Android NDK"):
        export(file, tmp_path / "out", **asked)
    assert files_in(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ("host", "z80")}, "Unknown target 'z80'; choose one of"),
        ({"targets": ()}, r"No target is given; targets=\(\"host\",\) is this machine"),
        ({"format": "exe"}, r"Unknown format 'exe'; choose one of \['all', 'vm', 'pl"),
        (
            {"targets": (ANDROID,), "format": "vm"},
            f"TVM's runtime, .* {ANDROID} needs, is not built for it; a plan does",
        ),
    ],
)
def test_what_cannot_be_built_is_refused_before_the_work(options, message, tmp_path):
    steps = []
    with pytest.raises(ValueError, match=message):
        export(small_network(), tmp_path / "out", progress=steps.append, **options)
    assert steps == []
    assert os.listdir(tmp_path) == []


def test_a_model_that_cannot_be_read_leaves_nothing(tmp_path):
    for name, message in (
        ("none.tflite", r"Cannot read none\.tflite: No such file"),
        ("none.keras", r"No model at none\.keras"),
    ):
        with pytest.raises(ValueError, match=message):
            export(name, tmp_path / "out")
    with pytest.raises(ValueError, match=r"Cannot write .*none/out: No such file"):
        export("none.keras", tmp_path / "none" / "out")
    assert os.listdir(tmp_path) == []


def test_without_the_extra_nothing_is_converted(tmp_path, monkeypatch):
    monkeypatch.setitem(extra._PACKAGES, "no_such_module", "no-such-package")
    steps = []
    with pytest.raises(ValueError, match=r"TVM is not installed; .*\[tvm\]"):
        export(small_network(), tmp_path / "out", progress=steps.append)
    assert steps == []
    assert os.listdir(tmp_path) == []
