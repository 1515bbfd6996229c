import numpy as np
import pytest
import tf_keras
from graphs import images, relative_error

from tfmot_onexn.networks import arrays, models

SIZE = {"input_shape": (32, 32, 3)}


def by_keras_names(model):
    return {
        f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}": weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }


def folded(model):
    """Folds a MobileNetV2 as the archives do, written apart from the importer."""
    stored = {}
    for name, kernel_layer, norm in arrays._v2_layers():
        layer, bn = model.get_layer(kernel_layer), model.get_layer(norm)
        gamma, beta, mean, variance = bn.get_weights()
        scale = gamma / np.sqrt(variance + bn.epsilon)
        kernel = layer.get_weights()[0]
        if name.endswith(".dw"):
            stored[f"{name}.w"] = (kernel[..., 0] * scale).transpose(2, 0, 1)[:, None]
        else:
            stored[f"{name}.w"] = (kernel * scale).transpose(3, 2, 0, 1)
        stored[f"{name}.b"] = beta - mean * scale
    kernel, bias = model.get_layer("predictions").get_weights()
    stored["fc.w"], stored["fc.b"] = kernel.T[:, :, None, None], bias
    return stored


@pytest.fixture
def v2():
    return models.build("mobilenet_v2", seed=7, alpha=0.35, classes=20, **SIZE)


def logits(model):
    last = model.layers[-1]
    last.activation = tf_keras.activations.linear
    return model(images(model))


def test_weights_by_keras_names_are_read_back(tmp_path):
    model = models.build("mobilenet", seed=7, alpha=0.25, classes=20, **SIZE)
    path = str(tmp_path / "v1.npz")
    np.savez(path, **by_keras_names(model))
    again = models.build("mobilenet", path, alpha=0.25, classes=20, **SIZE)
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("background", [False, True])
def test_folded_weights_compute_the_same(tmp_path, v2, background):
    stored = folded(v2)
    if background:
        stored["fc.w"] = np.concatenate([stored["fc.w"][:1] + 1, stored["fc.w"]])
        stored["fc.b"] = np.concatenate([[9], stored["fc.b"]])
    path = str(tmp_path / "v2.npz")
    np.savez(path, **stored)
    again = models.build("mobilenet_v2", path, alpha=0.35, classes=20, **SIZE)
    assert relative_error(logits(again), logits(v2)) <= 1e-5


def test_integers_stand_for_scaled_floats(tmp_path, v2):
    stored = folded(v2)
    rng = np.random.default_rng(0)
    integers = rng.integers(-128, 128, stored["fc.w"].shape).astype(np.int8)
    scale, zero = rng.uniform(0.01, 0.1, 20), rng.integers(-5, 5, 20)
    stored |= {"fc.w": integers, "fc.w_scale": scale, "fc.w_zp": zero}
    path = str(tmp_path / "v2.npz")
    np.savez(path, **stored)
    again = models.build("mobilenet_v2", path, alpha=0.35, classes=20, **SIZE)
    expected = (integers[:, :, 0, 0] - zero[:, None]) * scale[:, None]
    np.testing.assert_allclose(
        again.get_layer("predictions").kernel, expected.T, rtol=1e-6
    )


def test_an_archive_that_does_not_fit_names_the_layer(tmp_path, v2):
    stored = folded(v2)
    path = str(tmp_path / "v2.npz")
    np.savez(path, **{k: v for k, v in stored.items() if k != "blk3.dw.b"})
    with pytest.raises(ValueError, match=r"array 'blk3.dw.b' is missing"):
        arrays.load_weights(v2, path)
    np.savez(path, **{**stored, "conv_last.w": stored["conv_last.w"][:-1]})
    with pytest.raises(ValueError, match=r"layer 'Conv_1' has .* the file"):
        arrays.load_weights(v2, path)
