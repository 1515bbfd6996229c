import json

import pytest

from tfmot_onexn.benchmark import runtimes
from tfmot_onexn.tvm import builds, manifest

DESCRIBED = {
    "model": "m",
    "n": 16,
    "inputs": [{"name": "x", "shape": [1, 2], "dtype": "float32"}],
    "outputs": [],
    "versions": {"numpy": "2"},
}


@pytest.fixture
def folder(tmp_path):
    """An export of files that hold next to nothing."""
    folder = tmp_path / "export"
    plan = folder / "host" / "plan"
    plan.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(b"1234")
    (folder / "host" / "model.so").write_bytes(b"12345")
    for name in ("plan.bin", "weights.bin", "libplan.so", "benchmark"):
        (plan / name).write_bytes(name.encode())
    artifacts = [
        manifest.artifact(folder, "model.tflite", manifest.TFLITE),
        manifest.artifact(folder, "host/model.so", builds.VM, "host"),
        manifest.artifact(folder, "host/plan", builds.PLAN, "host"),
    ]
    manifest.write(folder, {**DESCRIBED, "artifacts": artifacts})
    return folder


def test_what_is_written_is_read(folder):
    document = manifest.read(folder)
    assert document["schema"] == manifest.SCHEMA
    assert {key: document[key] for key in DESCRIBED} == DESCRIBED
    tflite, library, plan = document["artifacts"]
    assert (tflite["path"], tflite["kind"], tflite["target"]) == (
        *("model.tflite", "tflite", None),
    )
    assert (library["size_bytes"], plan["size_bytes"]) == (5, 8 + 11 + 10)
    assert library["sha256"]["host/model.so"].startswith("5994471abb01112a")
    assert set(plan["sha256"]) == {
        f"host/plan/{name}"
        for name in ("plan.bin", "weights.bin", "libplan.so", "benchmark")
    }


def test_runtimes_are_called_as_benchmarks_call_them(folder):
    tflite, *others = manifest.read(folder)["artifacts"]
    assert not runtimes.is_tvm(tflite["runtime"])
    for each in others:
        [runtime] = runtimes.of_artifact(folder / each["path"], ["tvm"])
        assert each["runtime"] == runtime


def test_the_files_of_an_export_are_listed(folder):
    (folder / "model.tflite").unlink()
    (folder / "more").touch()
    there = {path for path in folder.rglob("*") if path.is_file()}
    lost, more = folder / "model.tflite", folder / "more"
    assert manifest.paths(folder) == (there | {lost}) - {more}


def test_a_damaged_file_is_refused(folder):
    (folder / "host" / "plan" / "weights.bin").write_bytes(b"weights.bim")
    with pytest.raises(
        ValueError, match=r"host/plan/weights\.bin is damaged: it has another checksum"
    ):
        manifest.read(folder)


def test_a_missing_file_is_refused(folder):
    (folder / "host" / "model.so").unlink()
    with pytest.raises(
        ValueError, match=r"Cannot read .*model\.so, which manifest\.json lists: No su"
    ):
        manifest.read(folder)


def test_what_is_no_export_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(ValueError, match=rf"{path} is no export: No such file or"):
            manifest.read(path)


def changed(**changes):
    """Returns what changes a manifest, as if it had been damaged."""
    return lambda document: {**document, **changes}


def with_file(name):
    """Returns what adds a file to the first artifact of a manifest."""

    def add(document):
        first, *others = document["artifacts"]
        return {**document, "artifacts": [{**first, "sha256": {name: "0"}}, *others]}

    return add


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda document: [document], "it is no JSON object"),
        (changed(schema=2), "it has schema 2, this version reads 1"),
        (changed(versions=None), "it has no 'versions' of the right kind"),
        (changed(artifacts=[3]), "it has no 'path' of the right kind"),
        (changed(artifacts=[{"path": "a"}]), "it has no 'kind' of the right kind"),
        (with_file("/etc/passwd"), r"the path '/etc/passwd' leaves the folder"),
        (with_file("a/../../b"), r"the path 'a/\.\./\.\./b' leaves the folder"),
    ],
)
def test_a_damaged_manifest_is_refused(folder, damage, message):
    path = folder / manifest.NAME
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    for read in (manifest.read, manifest.paths):
        with pytest.raises(ValueError, match=rf"manifest\.json is damaged: {message}"):
            read(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_manifest_that_is_no_json_is_refused(folder, content):
    (folder / manifest.NAME).write_bytes(content)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged: .*export again"):
        manifest.read(folder)
