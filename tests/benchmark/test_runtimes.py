import importlib.util

import pytest

from tfmot_onexn.benchmark import runtimes


def test_names_stand_for_runtimes():
    assert runtimes.split("tflite") == ("litert", False)
    assert runtimes.split("tf_lite+delegate") == ("tf_lite", True)
    assert runtimes.split("tvm") == runtimes.split("tvm_vm") == ("tvm_vm", False)
    assert runtimes.is_tvm("tvm")
    assert not runtimes.is_tvm("litert+delegate")


def test_a_plan_needs_no_tvm(tmp_path, monkeypatch):
    (tmp_path / "plan.bin").write_bytes(b"")
    names = ["tflite", "tvm"]
    assert runtimes.of_artifact(tmp_path, names) == ["tvm_plan"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert runtimes.split("tvm_plan") == ("tvm_plan", False)
    assert runtimes.resolve("tvm_plan") == "tvm_plan"
    with pytest.raises(ValueError, match=r"a TVM build \(plan\), which tvm_vm cannot"):
        runtimes.of_artifact(tmp_path, ["tvm_vm"])


def test_names_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="Unknown runtime 'tv'; choose tflite, tvm"):
        runtimes.split("tv")
    with pytest.raises(ValueError, match="Unknown addition 'delegate' to the"):
        runtimes.split("tvm+delegate")
    with pytest.raises(ValueError, match="Unknown addition 'other'"):
        runtimes.split("litert+other")


def test_a_missing_extra_is_named(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: (name != "tvm" and find(name)) or None
    )
    with pytest.raises(ValueError, match=r"missing: pip install tfmot-onexn\[tvm\]"):
        runtimes.split("tvm")


def test_tvm_stands_for_both_runtimes_of_its_builds():
    names = ["tflite", "tvm_plan", "tvm", "tflite"]
    assert runtimes.expanded(names) == ["tflite", "tvm_plan", "tvm_vm"]
    assert runtimes.expanded(["tflite+delegate"]) == ["tflite+delegate"]


def test_an_artifact_runs_in_what_fits_it():
    names = ["tflite", "litert+delegate", "tvm"]
    assert runtimes.of_artifact("a.tflite", names) == names[:2]
    assert runtimes.of_artifact("a.so", names) == ["tvm_vm"]
    assert runtimes.of_artifact("a.so", ["tvm", "tvm_vm", "tvm_plan"]) == ["tvm_vm"]
    with pytest.raises(
        ValueError,
        match=r"a\.so is taken for a TVM build \(vm\), which tflite cannot run;",
    ):
        runtimes.of_artifact("a.so", ["tflite"])
    with pytest.raises(ValueError, match=r"a \.tflite file, which tvm, tvm_vm can"):
        runtimes.of_artifact("a.tflite", ["tvm", "tvm_vm"])
