import keras
import numpy as np
import pytest
import tf_keras

from tfmot_onexn.networks.keras3 import from_keras3


def assert_same(model, size, *inputs):
    copy = from_keras3(model)
    assert isinstance(copy, tf_keras.Model)
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(2, *shape)).astype(np.float32) for shape in inputs]
    x = x[0] if len(x) == 1 else x
    expected, actual = np.asarray(model(x)), np.asarray(copy(x))
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())
    return copy


def scramble(model):
    rng = np.random.default_rng(1)
    for weight in model.weights:
        low = 0.5 if "variance" in weight.path else -0.5
        weight.assign(rng.uniform(low, low + 1, weight.shape))
    return model


@pytest.mark.parametrize(
    "name",
    ["MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "ResNet50"],
)
def test_stock_mobilenets_are_copied_weight_for_weight(name):
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(64, 64, 3), classifier_activation=None
    )
    for layer in model.layers:
        if "bn" in layer.name.lower():
            scramble(layer)
    copy = assert_same(model, name, (64, 64, 3))
    for ours, theirs in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert copy.name == model.name
    for layer in model.layers:
        if layer.weights:
            twin = copy.get_layer(layer.name)
            assert getattr(twin, "momentum", 0) == getattr(layer, "momentum", 0)


def test_branches_shared_layers_functions_and_inner_models_are_copied():
    first, second = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    shared = keras.layers.Conv2D(4, 3, padding="same", activation="silu")
    inner = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.DepthwiseConv2D(3, padding="same")]
    )
    x = (shared(first) + shared(second)) * 0.5
    x = keras.layers.Concatenate()([inner(x), x - 1.0])
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model([first, second], keras.layers.Dense(3)(x), name="mine")
    assert_same(scramble(model), "mine", (8, 8, 3), (8, 8, 3))


def test_a_sequential_model_is_copied_when_built():
    model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="has no graph to copy"):
        from_keras3(model)
    model.build((None, 3))
    assert_same(model, "dense", (3,))


def test_regularizers_and_frozen_layers_stay_so():
    image = keras.Input((3,))
    layer = keras.layers.Dense(
        2, kernel_regularizer=keras.regularizers.L2(0.25), trainable=False
    )
    copy = from_keras3(keras.Model(image, layer(image))).layers[-1]
    assert not copy.trainable
    assert float(copy.kernel_regularizer.l2) == 0.25


def test_a_tf_keras_model_is_returned_as_it_is():
    model = tf_keras.Sequential([tf_keras.layers.Dense(2, input_shape=(3,))])
    assert from_keras3(model) is model


class Own(keras.layers.Layer):
    def call(self, inputs):
        return inputs


def test_what_has_no_counterpart_is_named():
    image = keras.Input((8, 8, 3))

    def model(output):
        return keras.Model(image, output)

    with pytest.raises(ValueError, match=r"'odd' \(Own\) has no counterpart"):
        from_keras3(model(Own(name="odd")(image)))
    with pytest.raises(ValueError, match=r"'act' has the activation 'squareplus'"):
        from_keras3(model(keras.layers.Activation("squareplus", name="act")(image)))
    with pytest.raises(ValueError, match=r"operation .* \(Sin\) has no counterpart"):
        from_keras3(model(keras.ops.sin(image)))
    with pytest.raises(ValueError, match=r"Expected a Keras 3 model, found int"):
        from_keras3(3)
