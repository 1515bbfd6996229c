import importlib.util
import json
import shutil

import pytest
import tf_keras
import tvm
import tvm_networks
from tf_keras import layers
from tvm.s_tir.meta_schedule import builder, runner

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import builds, metaschedule, plan_runtime, vm_runtime
from tfmot_onexn.tvm.source import Source

SHAPE = (1, 8, 8, 8)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A dense network of two operators, as a file."""
    image = layers.Input(SHAPE[1:])
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(image)
    x = layers.Conv2D(16, 1)(x)
    path = tmp_path_factory.mktemp("network") / "dense.tflite"
    convert.convert_to_tflite(randomize(tf_keras.Model(image, x)), path)
    return path


@pytest.fixture(scope="module", autouse=True)
def short():
    """Searches with a small population."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metaschedule, "_POPULATION", 32)
        patch.setattr(metaschedule, "_GENERATIONS", 1)
        yield


@pytest.fixture(scope="module")
def searched(network, tmp_path_factory):
    """What was shown, the result, and the folder of a search."""
    folder, shown = tmp_path_factory.mktemp("search"), []
    found = metaschedule.tune(
        network, folder, trials=8, progress=lambda *each: shown.append(each)
    )
    return shown, found, folder


def test_a_search_counts_its_trials_and_time(searched):
    shown, found, folder = searched
    assert found.trials >= 8
    assert found.seconds > 0
    assert [total for _, total in shown] == [8] * len(shown)
    assert [done for done, _ in shown] == sorted({done for done, _ in shown})
    records = (folder / "database_tuning_record.json").read_text().splitlines()
    assert len(records) == found.trials


def test_a_search_goes_on_where_it_was(network, searched, tmp_path):
    _, before, folder = searched
    copy = shutil.copytree(folder, tmp_path / "copy")
    shown = []
    trials = before.trials + 4
    found = metaschedule.tune(
        network, copy, trials=trials, progress=lambda *each: shown.append(each)
    )
    assert found.trials >= trials
    assert found.seconds > before.seconds
    assert shown[0][0] > before.trials


def test_nothing_is_left_to_search(network, searched, tmp_path):
    _, before, folder = searched
    copy = shutil.copytree(folder, tmp_path / "copy")
    found = metaschedule.tune(network, copy, trials=before.trials)
    assert found == before
    assert json.loads((copy / "search.json").read_text())["seconds"] > 0


@pytest.mark.parametrize(
    ("format_", "name"), [(builds.VM, "tuned.so"), (builds.PLAN, "tuned")]
)
def test_the_tuned_network_computes_what_the_stock_runtime_does(
    network, searched, tmp_path, format_, name
):
    path = tmp_path / name
    source = Source(network, "small")
    metaschedule.build(source, searched[2], path, format=format_)
    x = tvm_networks.image(SHAPE)
    if format_ == builds.VM:
        [found] = vm_runtime.load(path).run([x])
    else:
        with plan_runtime.Plan(path) as plan:
            [found] = plan.run(x)
    assert tvm_networks.error(found, tvm_networks.stock(network, x)) <= 1e-5


def test_a_build_needs_a_search(network, tmp_path):
    with pytest.raises(ValueError, match="has no search of MetaSchedule; tune first"):
        metaschedule.build(Source(network, "small"), tmp_path, tmp_path / "m.so")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_told_with_the_remedy(network, tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: None if name == "xgboost" else there(name, *more),
    )
    with pytest.raises(ValueError, match=r"xgboost is not installed: pip install .*tu"):
        metaschedule.tune(network, tmp_path / "search", trials=8)
    assert not (tmp_path / "search").exists()


def test_a_candidate_that_fails_is_no_end():
    modules = {"7": None}
    unknown = tvm.target.Target({"kind": "llvm", "mtriple": "pdp11-unknown-none"})
    given = builder.BuilderInput(tvm.IRModule(), unknown)
    [built] = metaschedule._Builder(modules).build([given])
    assert built.artifact_path is None
    assert built.error_msg
    given = runner.RunnerInput("7", "llvm", [])
    [future] = metaschedule._Runner(modules).run([given])
    assert future.result().run_secs is None
    assert future.result().error_msg
    assert modules == {}
