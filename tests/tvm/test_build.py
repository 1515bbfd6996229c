import json
import warnings

import numpy as np
import pytest
import tf_keras
import tvm_networks
from graphs import small_network
from tf_keras import layers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import prune
from tfmot_onexn.tflite import convert, interpreter
from tfmot_onexn.tvm import builds, plan_runtime, trailer, vm_runtime
from tfmot_onexn.tvm.build import build_tvm

TOLERANCE = 1e-5


def built(tmp_path, source, **options):
    path = tmp_path / "model.so"
    build_tvm(source, path, **options)
    return vm_runtime.load(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("mobilenet", None),
        ("mobilenet", 16),
        ("mobilenet_v2", 1),
        ("mobilenet_v2", 4),
        ("mobilenet_v3_small", 8),
        ("resnet50", 16),
    ],
)
def test_networks_compute_what_the_stock_runtime_does(name, n, tmp_path):
    file = tvm_networks.file_of(tmp_path, name, n)
    x = tvm_networks.image()
    [found] = built(tmp_path, file).run([x])
    assert tvm_networks.error(found, tvm_networks.stock(file, x)) <= TOLERANCE
    if n:
        dense = tvm_networks.file_of(tmp_path, name)
        assert tvm_networks.error(found, tvm_networks.stock(dense, x)) > 0.1


def small(batch=None):
    """A network with what keeps a head apart: pools, padding, softmax."""
    image_ = layers.Input((12, 10, 3), batch_size=batch)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)))(image_)
    x = layers.Conv2D(8, 3, 2, activation="relu")(x)
    x = layers.MaxPooling2D(2, 1, "same")(x)
    y = layers.Conv2D(8, 1, use_bias=False)(x)
    x = layers.Activation("relu")(layers.Add()([x, y]))
    x = layers.AveragePooling2D(2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return randomize(tf_keras.Model(image_, layers.Dense(7, "softmax")(x)))


def test_a_keras_model(tmp_path):
    model = small()
    machine = built(tmp_path, model)
    x = tvm_networks.image((1, 12, 10, 3))
    [found] = machine.run([x])
    assert tvm_networks.error(found, model(x).numpy()) <= TOLERANCE
    assert trailer.read(tmp_path / "model.so")["model"] == model.name


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "saved"])
def test_the_path_of_a_keras_model(tmp_path, name):
    model = small()
    model.save(str(tmp_path / name))
    machine = built(tmp_path, tmp_path / name)
    x = tvm_networks.image((1, 12, 10, 3))
    [found] = machine.run([x])
    assert tvm_networks.error(found, model(x).numpy()) <= TOLERANCE


def test_weights_in_half_precision(tmp_path):
    file = tmp_path / "half.tflite"
    convert.convert_to_tflite(small(), file, float16=True)
    x = tvm_networks.image((1, 12, 10, 3))
    [found] = built(tmp_path, file).run([x])
    assert tvm_networks.error(found, tvm_networks.stock(file, x)) <= TOLERANCE


def several():
    """A network with three outputs; what computes one reads another."""
    image_ = layers.Input((12, 10, 3))
    x = layers.Conv2D(8, 3, 2, activation="relu")(image_)
    y = layers.Activation("relu")(layers.Conv2D(4, 1)(x))
    z = layers.Dense(5)(layers.GlobalAveragePooling2D()(x))
    return randomize(tf_keras.Model(image_, [x, y, z]))


@pytest.mark.parametrize("format", builds.FORMATS)
def test_several_outputs(format, tmp_path):
    model = several()
    file, path = tmp_path / "several.tflite", tmp_path / "several.so"
    convert.convert_to_tflite(model, file)
    # of the tuple, too, which is no operator
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_tvm(file, path, format=format)
    x = tvm_networks.image((1, 12, 10, 3))
    if format == builds.VM:
        outputs, found = trailer.read(path)["outputs"], vm_runtime.load(path).run([x])
    else:
        outputs = json.loads((path / builds.ABOUT).read_text())["outputs"]
        with plan_runtime.Plan(path) as plan:
            assert [port.name for port in plan.outputs] == [
                port["name"] for port in outputs
            ]
            found = plan.run(x)
    assert [port["name"] for port in outputs] == ["output_0", "output_1", "output_2"]
    expected = interpreter_outputs(file, x)
    assert [port["shape"] for port in outputs] == [list(y.shape) for y in expected]
    assert len(found) == len(expected) == 3
    for mine, stock in zip(found, expected, strict=True):
        assert tvm_networks.error(mine, stock) <= TOLERANCE


def interpreter_outputs(file, x):
    """Returns all outputs of the stock runtime, in the file's order."""
    loaded = interpreter.load_interpreter(file, delegate=False)
    interpreter.run_once(loaded, x)
    return [loaded.get_tensor(each["index"]) for each in loaded.get_output_details()]


def test_what_a_build_tells_of_itself(tmp_path):
    wrapped = prune.prune_low_magnitude_1xN(randomize(small_network(width=4)), 16)
    file = tmp_path / "small_16.tflite"
    convert.convert_to_tflite(prune.strip_pruning(wrapped), file)
    steps = []
    build_tvm(file, tmp_path / "model.so", target="x86-64-v3", progress=steps.append)
    assert steps == ["Importing", "Choosing kernels", "Compiling"]
    told = trailer.read(tmp_path / "model.so")
    assert (told["format"], told["target"], told["model"]) == (
        *("vm", "x86-64-v3", "small_16"),
    )
    [port] = told["inputs"]
    assert (port["shape"], port["dtype"]) == ([1, 8, 8, 3], "float32")
    assert told["outputs"][0]["shape"] == [1, 4]
    row = told["row"]
    assert (row["variant"], row["n"]) == ("onexn", 16)
    assert row["sparsity"] == pytest.approx(0.5, abs=0.02)


def test_a_library_that_tvm_would_not_load_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.so; call it .*model\.vm\.so"):
        build_tvm(small(), tmp_path / "model.vm")


def test_nothing_is_left_of_a_build_that_fails(tmp_path):
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"damaged.tflite is not a .tflite file"):
        build_tvm(damaged, tmp_path / "model.so")
    with pytest.raises(ValueError, match=r"Unknown target 'abacus'; choose one of"):
        build_tvm(damaged, tmp_path / "model.so", target="abacus")
    with pytest.raises(ValueError, match=r"aarch64-linux-android would need TVM's own"):
        build_tvm(small(), tmp_path / "model.so", target="aarch64-linux-android")
    assert not (tmp_path / "model.so").exists()


def test_libraries_for_other_machines(tmp_path):
    file = tmp_path / "small.tflite"
    convert.convert_to_tflite(small(), file)
    for target in ("aarch64-linux-gnu", "armv7-linux-gnueabihf"):
        build_tvm(file, tmp_path / "model.so", target=target)
        with pytest.raises(ValueError, match=f"is built for {target}"):
            vm_runtime.load(tmp_path / "model.so")


def test_inputs_of_another_shape_are_refused(tmp_path):
    machine = built(tmp_path, small())
    with pytest.raises(ValueError, match=r"shapes \[\[2\]\], expected \[\[1, 12, 10, "):
        machine.run([np.zeros(2, np.float32)])
