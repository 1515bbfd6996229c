import numpy as np
import tf_keras
from graphs import branches, images
from tf_keras import layers

from tfmot_onexn.graph import surgery
from tfmot_onexn.networks.random_weights import randomize


def test_a_copy_computes_the_same_and_shares_nothing():
    model = randomize(branches())
    copy = surgery.copy_model(model)
    x = images(model)
    np.testing.assert_array_equal(copy(x), model(x))
    before = model(x).numpy()
    for variable in copy.weights:
        variable.assign(variable * 2 + 1)
    np.testing.assert_array_equal(model(x), before)


def test_weights_and_settings_of_single_layers_can_change():
    model = tf_keras.Sequential([layers.Dense(4), layers.ReLU(), layers.Dense(2)])
    model.build((None, 3))
    first, _, last = model.layers
    copy = surgery.copy_model(
        model,
        weights={
            first: [np.ones((3, 5)), np.ones(5)],
            last: [np.ones((5, 2)), np.zeros(2)],
        },
        changes={first: {"units": 5}},
    )
    np.testing.assert_array_equal(copy(np.ones((1, 3), np.float32)), [[20, 20]])
    assert [layer.name for layer in copy.layers] == [
        layer.name for layer in model.layers
    ]


def test_leaf_layers_looks_into_models_and_counts_each_layer_once():
    dense = layers.Dense(3)
    inner = tf_keras.Sequential([dense, layers.ReLU()])
    model = tf_keras.Sequential([layers.InputLayer((3,)), inner, inner])
    assert surgery.leaf_layers(model) == inner.layers
