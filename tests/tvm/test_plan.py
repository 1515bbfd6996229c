import json
import pathlib

import numpy as np
import plans
import pytest
import relax_modules

from tfmot_onexn import targets
from tfmot_onexn.tvm import plan, plan_link, processors
from tfmot_onexn.tvm.plan_runtime import Plan

FILES = {"plan.bin", "weights.bin", "libplan.so", "benchmark", "runner.h"}


def write(network, folder):
    plan.write(network.module, relax_modules.LLVM, relax_modules.HOST, folder)


def largest_difference(found, expected):
    return max(
        np.abs(a - b).max() / np.abs(b).max()
        for a, b in zip(found, expected, strict=True)
    )


@pytest.mark.parametrize("make", [relax_modules.network, relax_modules.several])
def test_it_computes_what_numpy_and_the_virtual_machine_do(tmp_path, make):
    network = make()
    write(network, tmp_path / "plan")
    with Plan(tmp_path / "plan", 2) as opened:
        found = opened.run(*network.inputs)
        wrong = opened.run(*(-x for x in network.inputs))
    assert largest_difference(found, network.expected) < 1e-5
    machine = relax_modules.run_in_virtual_machine(network)
    assert largest_difference(found, machine) < 1e-5
    assert largest_difference(wrong, network.expected) > 0.1


def test_the_folder_holds_the_plan_and_nothing_else():
    folder = plans.built()
    assert {path.name for path in folder.iterdir()} == FILES
    assert not list(folder.parent.glob(".*"))


def test_it_can_tell_of_the_network(tmp_path):
    network = relax_modules.several()
    about = {"model": "several", "n": 16}
    folder = tmp_path / "plan"
    plan.write(network.module, relax_modules.LLVM, relax_modules.HOST, folder, about)
    assert {path.name for path in folder.iterdir()} == {*FILES, "about.json"}
    assert json.loads((folder / "about.json").read_text()) == about


@pytest.mark.parametrize(
    ("name", "isa"),
    [("x86-64-v3", "AVX2"), ("x86-64-v4", "AVX512"), ("aarch64-linux-gnu", "ANY")],
)
def test_the_runner_is_told_what_it_needs(monkeypatch, tmp_path, name, isa):
    told = []
    monkeypatch.setattr(plan_link, "link", lambda *given: told.append(given[-1]))
    target = processors.processor(name)[0]
    module = relax_modules.several().module
    plan.write(module, target, targets.resolve(name), tmp_path / "plan")
    assert told == [isa]


def test_a_plan_that_is_there_is_replaced(tmp_path):
    folder = tmp_path / "plan"
    for network in (relax_modules.network(), relax_modules.several()):
        write(network, folder)
        with Plan(folder) as opened:
            found = opened.run(*network.inputs)
        assert largest_difference(found, network.expected) < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["plan"]


@pytest.mark.parametrize("exists", [False, True])
def test_a_failed_build_leaves_what_was_there(tmp_path, monkeypatch, exists):
    network = relax_modules.several()
    folder = tmp_path / "plan"
    if exists:
        write(network, folder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(plan_link, "RUNNER", pathlib.Path("/nowhere"))
    with pytest.raises(
        ValueError, match=r"Building a plan for this machine with .* failed"
    ):
        write(network, folder)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert after == before


def test_what_is_no_plan_is_not_replaced(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("photos", "file"):
        if name == "file":
            (tmp_path / name).touch()
        with pytest.raises(ValueError, match=f"{name}: it exists and is no plan"):
            write(relax_modules.several(), tmp_path / name)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"Cannot write .*plan: No such file"):
        write(relax_modules.several(), tmp_path / "none" / "plan")
