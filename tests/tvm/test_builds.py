import json
import shutil

import pytest
import tvm_networks
from graphs import small_network

from tfmot_onexn import targets
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import prune
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import builds, plan_runtime, trailer
from tfmot_onexn.tvm.build import build_tvm


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    wrapped = prune.prune_low_magnitude_1xN(
        randomize(small_network(width=3)), 8, rearrange="none"
    )
    path = tmp_path_factory.mktemp("files") / "small.tflite"
    convert.convert_to_tflite(prune.strip_pruning(wrapped), path)
    return path


@pytest.fixture(scope="module")
def plan(file, tmp_path_factory):
    path = tmp_path_factory.mktemp("plans") / "plan"
    build_tvm(file, path, format="plan")
    return path


def test_a_plan_computes_what_the_stock_runtime_does(plan, file):
    x = tvm_networks.image((1, 8, 8, 3))
    with plan_runtime.Plan(plan, 2) as opened:
        [found] = opened.run(x)
    assert tvm_networks.error(found, tvm_networks.stock(file, x)) <= 1e-5


def test_both_formats_tell_the_same_of_themselves(plan, file, tmp_path):
    library = tmp_path / "model.so"
    build_tvm(file, library)
    assert builds.format_of(plan) == "plan"
    assert builds.format_of(library) == "vm"
    assert builds.format_of(file) is None
    told = builds.describe(plan)
    assert told["format"] == "plan"
    of_library = builds.describe(library)
    assert of_library == trailer.read(library)
    for key in ("target", "model", "inputs", "outputs", "row"):
        assert told[key] == of_library[key]
    assert builds.size(library) == library.stat().st_size
    deployed = ("plan.bin", "weights.bin", "libplan.so")
    assert builds.size(plan) == sum((plan / name).stat().st_size for name in deployed)


@pytest.mark.parametrize("content", [None, "no JSON", "[]", '{"schema": 1}'])
def test_a_damaged_description_is_refused(content, plan, tmp_path):
    copy = tmp_path / "plan"
    shutil.copytree(plan, copy)
    (copy / "about.json").unlink()
    if content is not None:
        (copy / "about.json").write_text(content)
    with pytest.raises(ValueError, match=r"about.json is missing or damaged \(.*Build"):
        builds.describe(copy)


def test_a_plan_of_another_schema_is_refused(plan, tmp_path):
    copy = tmp_path / "plan"
    shutil.copytree(plan, copy)
    about = json.loads((copy / "about.json").read_text())
    (copy / "about.json").write_text(json.dumps({**about, "schema": 9}))
    with pytest.raises(ValueError, match="has schema 9, this version reads 1"):
        builds.describe(copy)


def test_an_unknown_format_is_refused(file, tmp_path):
    with pytest.raises(ValueError, match=r"Unknown format 'onnx'; choose one of \['vm"):
        build_tvm(file, tmp_path / "model", format="onnx")


def test_android_takes_no_library():
    assert builds.formats_for(targets.resolve("host")) == ("vm", "plan")
    assert builds.formats_for(targets.resolve("aarch64-linux-android")) == ("plan",)
