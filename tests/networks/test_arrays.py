import numpy as np
import pytest
import tf_keras
from graphs import relative_error

from tfmot_onexn.networks import arrays, models
from tfmot_onexn.networks.random_weights import random_images

SIZE = {"input_shape": (32, 32, 3)}


def by_keras_names(model):
    return {
        f"{layer.name}/{weight.name.split('/')[-1].split(':')[0]}": weight.numpy()
        for layer in model.layers
        for weight in layer.weights
    }


BLOCKS = {
    "mobilenet_v2": ("Conv1", "block_{}_", "expanded_conv_", "Conv_1"),
    "mobilenet_v3_small": ("Conv", "expanded_conv_{}/", "expanded_conv/", "Conv_1"),
    "mobilenet_v3_large": ("Conv", "expanded_conv_{}/", "expanded_conv/", "Conv_1"),
}
PARTS = {
    "exp": "expand",
    "dw": "depthwise",
    "se1": "squeeze_excite/Conv",
    "se2": "squeeze_excite/Conv_1",
    "proj": "project",
}


def keras_names(model):
    """Which layer each name of a folded archive stands for, from the layers' names."""
    stem, block, first, last = BLOCKS[model.name]
    known = {layer.name for layer in model.layers}
    names = {"conv0": stem, "conv_last": last, "head": "Conv_2"}
    names["fc"] = "predictions" if model.name == "mobilenet_v2" else "Logits"
    for index in range(17):
        prefix = block.format(index) if index else first
        names |= {f"blk{index}.{part}": prefix + of for part, of in PARTS.items()}
    return {name: layer for name, layer in names.items() if layer in known}


def folded(model):
    """Folds a MobileNet as the archives do, written apart from the importer."""
    stored = {}
    for name, kernel_layer in keras_names(model).items():
        layer = model.get_layer(kernel_layer)
        kernel, *bias = layer.get_weights()
        scale = 1.0
        if not bias:
            after = layer.name.startswith(("Conv1", "Conv_1"))
            suffix = "/BatchNorm" if "v3" in model.name else "_BN"
            bn_name = layer.name + ("_bn" if after and suffix == "_BN" else suffix)
            bn = model.get_layer("bn_Conv1" if bn_name == "Conv1_bn" else bn_name)
            gamma, beta, mean, variance = bn.get_weights()
            scale = gamma / np.sqrt(variance + bn.epsilon)
            bias = [beta - mean * scale]
        if name.endswith(".dw"):
            stored[f"{name}.w"] = (kernel[..., 0] * scale).transpose(2, 0, 1)[:, None]
        else:
            kernel = kernel.reshape((1, 1, *kernel.shape)[-4:])
            stored[f"{name}.w"] = (kernel * scale).transpose(3, 2, 0, 1)
        stored[f"{name}.b"] = bias[0]
    return stored


@pytest.fixture
def v2():
    return models.build("mobilenet_v2", seed=7, alpha=0.35, classes=20, **SIZE)


def logits(model):
    last = model.layers[-1]
    last.activation = tf_keras.activations.linear
    return model(random_images(model, 2))


def test_weights_by_keras_names_are_read_back(tmp_path):
    model = models.build("mobilenet", seed=7, alpha=0.25, classes=20, **SIZE)
    path = str(tmp_path / "v1.npz")
    np.savez(path, **by_keras_names(model))
    again = models.build("mobilenet", path, alpha=0.25, classes=20, **SIZE)
    for one, other in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_folded_weights_compute_the_same(tmp_path, name, background):
    narrow = {"alpha": 0.35, "classes": 20, **SIZE}
    model = models.build(name, seed=7, **narrow)
    stored = folded(model)
    if background:
        stored["fc.w"] = np.concatenate([stored["fc.w"][:1] + 1, stored["fc.w"]])
        stored["fc.b"] = np.concatenate([[9], stored["fc.b"]])
    path = str(tmp_path / "folded.npz")
    np.savez(path, **stored)
    again = models.build(name, path, **narrow)
    assert relative_error(logits(again), logits(model)) <= 1e-5
    stored["conv0.w"] = -stored["conv0.w"]
    np.savez(path, **stored)
    arrays.load_weights(again, path)
    assert relative_error(logits(again), logits(model)) > 0.1


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
    np.savez(path, **{k: v for k, v in stored.items() if not k.startswith("blk3.dw")})
    with pytest.raises(ValueError, match=r"has 52 kernels, the network 53"):
        arrays.load_weights(v2, path)
    np.savez(path, **stored, **{"blk3.odd.w": stored["fc.w"]})
    with pytest.raises(ValueError, match=r"layer 'blk3.odd' is not known"):
        arrays.load_weights(v2, path)
    np.savez(path, **{**stored, "conv_last.w": stored["conv_last.w"][:-1]})
    with pytest.raises(ValueError, match=r"layer 'Conv_1' has .* the file"):
        arrays.load_weights(v2, path)
