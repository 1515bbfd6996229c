import numpy as np
import pytest
import tf_keras

from tfmot_onexn.networks.recipe import DecayedSGD, Recipe


def test_learning_rate_warms_up_and_follows_a_cosine():
    model = tf_keras.Sequential([tf_keras.layers.Dense(3, "softmax", input_shape=(2,))])
    recipe = Recipe(epochs=5, learning_rate=0.2, warmup_epochs=1)
    recipe.compile(model, steps_per_epoch=10)
    rate = model.optimizer._learning_rate
    assert float(rate(0)) == 0.0
    assert float(rate(5)) == pytest.approx(0.1)
    assert float(rate(10)) == pytest.approx(0.2)
    assert float(rate(30)) == pytest.approx(0.1)
    assert float(rate(50)) == pytest.approx(0.0, abs=1e-8)
    Recipe(warmup_epochs=0, learning_rate=0.2).compile(model, 10)
    assert float(model.optimizer._learning_rate(0)) == pytest.approx(0.2)


def test_weight_decay_goes_through_the_momentum_as_in_numpy():
    layer = tf_keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = tf_keras.Sequential([layer])
    model.build((None, 2))
    model.compile(DecayedSGD(0.1, 0.9, gradient_decay=0.5), "mse")
    x, y = np.array([[1.0, 2.0]], np.float32), np.array([[1.0]], np.float32)
    weight, velocity = np.ones((2, 1)), np.zeros((2, 1))
    for _ in range(4):
        gradient = 2 * x.T @ (x @ weight - y) + 0.5 * weight
        velocity = 0.9 * velocity - 0.1 * gradient
        weight = weight + velocity
        model.train_on_batch(x, y)
    np.testing.assert_allclose(layer.kernel, weight, rtol=1e-5)


def test_optimizer_survives_its_config():
    optimizer = DecayedSGD(0.3, 0.8, gradient_decay=0.1)
    again = tf_keras.optimizers.deserialize(tf_keras.optimizers.serialize(optimizer))
    assert isinstance(again, DecayedSGD)
    assert again.get_config() == optimizer.get_config()
    assert again.gradient_decay == 0.1
