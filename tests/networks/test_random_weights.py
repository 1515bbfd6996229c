import numpy as np
import pytest
import tf_keras
from graphs import images, relative_error, small_network

from tfmot_onexn.networks.random_weights import randomize


def test_the_seed_decides_every_weight():
    one, same, other = (randomize(small_network(), seed) for seed in (1, 1, 2))
    for a, b in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert relative_error(one(images(one)), other(images(one))) > 0.1


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV2"])
def test_the_output_depends_on_the_image_and_on_every_layer(name):
    """What a fresh Keras network does not do, and why agreement checks need this."""
    build = getattr(tf_keras.applications, name)
    model = build((64, 64, 3), 0.25 if name == "MobileNet" else 0.35, weights=None)
    features = tf_keras.Model(model.input, model.get_layer(index=-1).input)
    x = images(model)

    def difference_between_images():
        first, second = features(x).numpy()
        return np.abs(first - second).max() / np.abs(first).max()

    randomize(model)
    assert difference_between_images() > 0.3
    expected = features(x).numpy()
    for layer in features.layers:
        if layer.weights and "predictions" not in layer.name:
            kernel = layer.weights[0]
            value = kernel.numpy()
            changed = value.copy()
            changed.ravel()[: max(1, value.size // 8)] *= -1
            kernel.assign(changed)
            assert relative_error(features(x), expected) > 1e-4, layer.name
            kernel.assign(value)


def test_running_statistics_follow_at_the_old_pace_afterwards():
    model = small_network()
    momenta = [getattr(layer, "momentum", None) for layer in model.layers]
    randomize(model)
    assert [getattr(layer, "momentum", None) for layer in model.layers] == momenta
