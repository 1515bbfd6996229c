import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import images, relative_error, small_network

from tfmot_onexn.networks.random_weights import random_images, randomize


def test_the_seed_decides_every_weight():
    one, same, other = (randomize(small_network(), seed) for seed in (1, 1, 2))
    for a, b in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert relative_error(one(images(one)), other(images(one))) > 0.1


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("MobileNet", {"alpha": 0.25}),
        ("MobileNetV2", {"alpha": 0.35}),
        ("MobileNetV3Small", {"alpha": 0.5}),
    ],
)
def test_the_output_depends_on_the_image_and_on_every_layer(name, settings):
    """What a fresh Keras network does not do, and why agreement checks need this."""
    build = getattr(tf_keras.applications, name)
    features = build(
        input_shape=(64, 64, 3), weights=None, include_top=False, **settings
    )
    x = random_images(features, 2, seed=1)
    forward = tf.function(features)

    def difference_between_images():
        first, second = forward(x).numpy()
        return np.abs(first - second).max() / np.abs(first).max()

    randomize(features)
    assert difference_between_images() > 0.3
    expected = forward(x).numpy()
    rng = np.random.default_rng(0)
    for layer in features.layers:
        if layer.weights and layer.trainable_weights:
            kernel = layer.weights[0]
            value = kernel.numpy()
            kernel.assign(np.where(rng.random(value.shape) < 0.25, -value, value))
            assert relative_error(forward(x), expected) > 1e-4, layer.name
            kernel.assign(value)


def test_running_statistics_follow_at_the_old_pace_afterwards():
    model = small_network()
    momenta = [getattr(layer, "momentum", None) for layer in model.layers]
    randomize(model)
    assert [getattr(layer, "momentum", None) for layer in model.layers] == momenta


def test_images_have_the_range_that_a_network_rescales():
    small = tf_keras.applications.MobileNetV3Small(
        input_shape=(64, 64, 3), weights=None, include_top=False
    )
    x = random_images(small, 4)
    assert (x.shape, x.dtype) == ((4, 64, 64, 3), np.float32)
    assert abs(x.mean() - 127.5) < 3
    assert abs(x.std() - 127.5) < 3
    plain = random_images(small_network(), 4)
    assert abs(plain.mean()) < 0.1
