import keras
import numpy as np
import pytest
import tf_keras
from graphs import images, small_network

from tfmot_onexn.networks import models

SMALL = {"input_shape": (32, 32, 3), "alpha": 0.35, "classes": 10}


def test_random_networks_by_name():
    model = models.build("mobilenet_v2", seed=3, **SMALL)
    again = models.build("mobilenet_v2", seed=3, **SMALL)
    assert model.name == "mobilenet_v2"
    assert model.output_shape == (None, 10)
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    narrow = {**SMALL, "alpha": 0.25}
    assert models.build("mobilenet", **narrow).output_shape == (None, 10)


@pytest.mark.parametrize("name", models.NETWORKS)
def test_every_network_has_the_classes_asked_for(name):
    model = models.build(name, input_shape=(32, 32, 3), classes=7)
    assert model.name == name
    assert model.output_shape == (None, 7)


def test_resnet50_comes_in_one_width():
    with pytest.raises(ValueError, match=r"resnet50 comes in one width: .* alpha=0.5"):
        models.build("resnet50", alpha=0.5)


@pytest.mark.parametrize(
    "name", ["weights.weights.h5", "legacy.h5", "whole.h5", "whole.keras"]
)
def test_weights_come_from_a_file(tmp_path, name):
    trained = models.build("mobilenet_v2", seed=5, **SMALL)
    path = str(tmp_path / name)
    if "whole" in name:
        trained.save(path)
    else:
        trained.save_weights(path)
    loaded = models.build("mobilenet_v2", path, **SMALL)
    for one, other in zip(trained.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "name", ["model.keras", "model.h5", "saved_model", "hdf5 by another name"]
)
def test_models_load_from_files(tmp_path, name):
    model = small_network()
    path = tmp_path / name
    kind = {"save_format": "h5"} if name.startswith("hdf5") else {}
    model.save(str(path), **kind)
    loaded = models.load(path)
    x = images(model)
    np.testing.assert_allclose(loaded(x), model(x), rtol=1e-5)


def test_a_keras_3_file_is_copied(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    path = tmp_path / "three.keras"
    model.save(path)
    loaded = models.load(path)
    assert isinstance(loaded, tf_keras.Model)
    x = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(loaded(x), np.asarray(model(x)), rtol=1e-6)


def test_momentum_is_set_on_every_normalization():
    model = models.build("mobilenet_v2", **SMALL)
    models.set_batch_norm_momentum(model, 0.9)
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    assert {layer.momentum for layer in norms} == {0.9}


@pytest.mark.parametrize(
    "name",
    [
        *("a.keras", "a.h5", "saved/saved_model.pb", "saved/keras_metadata.pb"),
        *("saved/variables/variables.index",),
        "saved/variables/variables.data-00000-of-00001",
    ],
)
def test_damaged_files_are_refused_or_load_but_never_raise_anything_else(
    tmp_path, name, rng
):
    target = tmp_path / name.split("/")[0]
    tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))]).save(str(target))
    content = (tmp_path / name).read_bytes()
    refused = 0
    for _ in range(12):
        damaged = bytearray(content[: rng.integers(1, len(content))])
        damaged[rng.integers(len(damaged))] ^= 0xFF
        (tmp_path / name).write_bytes(damaged)
        try:
            models.load(target)
        except ValueError as error:
            assert str(target) in str(error)
            refused += 1
    assert refused >= 6


def test_what_cannot_be_built_or_loaded_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"network 'vgg'; choose .*'mobilenet_v2'"):
        models.build("vgg")
    with pytest.raises(ValueError, match=r"No weights at none.h5"):
        models.build("mobilenet_v2", "none.h5", **SMALL)
    with pytest.raises(ValueError, match=r"No model at none.keras"):
        models.load("none.keras")
    for name in ("broken.keras", "broken.h5"):
        path = tmp_path / name
        path.write_bytes(b"no model at all")
        with pytest.raises(ValueError, match=rf"Cannot load .*{name} as a Keras model"):
            models.load(path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "model.onnx").write_bytes(b"of another framework")
    for name in ("folder", "model.onnx"):
        with pytest.raises(ValueError, match=rf"{name} is neither a \.keras, a \.h5"):
            models.load(tmp_path / name)
    exported = tmp_path / "exported"
    small_network().export(str(exported))
    with pytest.raises(ValueError, match="exported is a SavedModel for inference only"):
        models.load(exported)
    other = str(tmp_path / "other.weights.h5")
    small_network().save_weights(other)
    with pytest.raises(ValueError, match=r"weights in .* do not fit mobilenet_v2"):
        models.build("mobilenet_v2", other, **SMALL)
