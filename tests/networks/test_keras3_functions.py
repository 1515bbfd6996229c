import keras
import numpy as np
import pytest
from keras import layers, ops

from tfmot_onexn.networks import keras3_functions
from tfmot_onexn.networks.keras3 import from_keras3

FUNCTIONS = {
    "Absolute": ops.absolute,
    "Add": lambda x: ops.add(x, 1.5),
    "Concatenate": lambda x: ops.concatenate([x, 2.0 * x], axis=-1),
    "Divide": lambda x: ops.divide(x, 3.0),
    "Exp": ops.exp,
    "Gelu": lambda x: ops.gelu(x, approximate=False),
    "GetItem": lambda x: x[:, 1:4, :, ::2],
    "HardSigmoid": ops.hard_sigmoid,
    "HardSilu": ops.hard_silu,
    "Max": lambda x: ops.max(x, axis=(1, 2)),
    "Maximum": lambda x: ops.maximum(x, 0.25),
    "Mean": lambda x: ops.mean(x, axis=(1, 2), keepdims=True),
    "Minimum": lambda x: ops.minimum(x, 0.25),
    "Multiply": lambda x: ops.multiply(x, x),
    "Negative": ops.negative,
    "Relu": ops.relu,
    "Relu6": ops.relu6,
    "Reshape": lambda x: ops.reshape(x, (-1, 16, 6)),
    "Sigmoid": ops.sigmoid,
    "Silu": ops.silu,
    "Square": ops.square,
    "Subtract": lambda x: ops.subtract(1.0, x),
    "Tanh": ops.tanh,
    "TrueDivide": lambda x: ops.true_divide(x, 3.0),
}


def assert_same(model, tolerance=1e-5):
    x = np.random.default_rng(0).normal(0, 3, (2, *model.input_shape[1:]))
    x = x.astype(np.float32)
    expected = np.asarray(model(x))
    actual = np.asarray(from_keras3(model)(x))
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def test_every_function_is_tried():
    assert sorted(FUNCTIONS) == keras3_functions.SUPPORTED


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_compute_the_same(name):
    image = keras.Input((8, 4, 3))
    assert_same(keras.Model(image, FUNCTIONS[name](image)))


@pytest.mark.parametrize("name", keras3_functions.ACTIVATIONS)
@pytest.mark.parametrize(
    "layer",
    [lambda a: layers.Activation(a), lambda a: layers.Conv2D(4, 1, activation=a)],
)
def test_activations_compute_the_same(name, layer):
    image = keras.Input((8, 4, 3))
    assert_same(keras.Model(image, layer(name)(image)))
