"""Rooms and floors: a room imports only from floors below it."""

import ast
import pathlib
import re

import pytest

PACKAGE = "tfmot_onexn"
ROOT = pathlib.Path(__file__).parents[1] / PACKAGE
FLOORS = {
    "sparsity": 0,
    "targets": 0,
    "graph": 1,
    "networks": 1,
    "pruning": 2,
    "tflite": 3,
    "tvm": 4,
    "benchmark": 5,
    "inspection": 5,
    "experiments": 6,
    "cli": 7,
    "__main__": 8,
}
MODULES = sorted(ROOT.rglob("*.py"))


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_down(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    if parts == (PACKAGE, "__init__"):
        return
    here = room_of(".".join(parts))
    for name in imports(path):
        if not name.startswith(f"{PACKAGE}."):
            continue
        there = room_of(name)
        assert there in FLOORS, f"{name}: no room of the design"
        assert here == there or FLOORS[here] > FLOORS[there], f"{here} imports {there}"


def test_bazel_knows_every_module():
    text = (ROOT.parent / "BUILD").read_text()
    patterns = re.findall(rf'"({PACKAGE}/[^"]+\.py)"', text)
    known = {path for pattern in patterns for path in ROOT.parent.glob(pattern)}
    assert known == set(MODULES)


def test_the_ground_floor_knows_no_keras():
    for path in (ROOT / "sparsity").glob("*.py"):
        names = " ".join(imports(path))
        assert "keras" not in names
        assert "tensorflow" not in names or path.name == "tf_masks.py"


def test_only_its_room_knows_tvm():
    """No other imports it, nor do the modules that benchmarks read files with."""
    light = ("trailer.py", "extra.py", "loadable.py", "builds.py", "manifest.py")
    readers = {ROOT / "tvm" / name for name in light}
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] != "tvm" or path in readers:
            roots = {name.split(".")[0] for name in imports(path)}
            assert not roots & {"tvm", "tvm_ffi", "tflite"}, path


def test_light_rooms_do_without_tensorflow():
    """What `onexn benchmark` and `onexn summary FILE` import."""
    light = [
        *("tflite/flatbuffer.py", "tflite/interpreter.py", "tflite/kernels.py"),
        *("tflite/sparse_encoding.py", "tflite/validation.py", "inspection.py"),
        *("tflite/channels_first.py", "tflite/constraints.py", "tflite/inventory.py"),
        *("tflite/layers.py", "tflite/sizes.py", "tflite/sparse_inference.py"),
        *("benchmark/artifacts.py", "benchmark/latency.py", "benchmark/machine.py"),
        *("benchmark/report.py", "benchmark/rows.py", "benchmark/worker.py"),
        *("networks/files.py", "cli/benchmark.py", "cli/__init__.py"),
        *("cli/summary.py", "cli/delegate.py", "tflite/facts.py"),
        *("tflite/delegate.py", "tflite/delegate_build.py"),
        *("tflite/delegate_verdicts.py", "tflite/description.py"),
        *("benchmark/runtimes.py", "tvm/trailer.py", "tvm/extra.py"),
        *("tvm/loadable.py", "tvm/vm_runtime.py", "cli/build.py"),
        *("tvm/plan_runtime.py", "tflite/compilers.py"),
        *("tvm/builds.py", "tvm/manifest.py", "tvm/export.py", "cli/export.py"),
    ]
    for name in light:
        tree = ast.parse((ROOT / name).read_text())
        top_level = ast.Module(
            [n for n in tree.body if isinstance(n, (ast.Import, ast.ImportFrom))], []
        )
        assert "tensorflow" not in ast.unparse(top_level), name
        assert "tf_keras" not in ast.unparse(top_level), name


def test_every_module_has_a_test_of_the_same_name():
    tests = ROOT.parent / "tests"
    missing = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.name != "__init__.py"
        and not (
            tests / path.relative_to(ROOT).parent / f"test_{path.stem.strip('_')}.py"
        ).exists()
    ]
    assert missing == []
