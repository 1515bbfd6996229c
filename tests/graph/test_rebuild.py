import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from tfmot_onexn.graph import calls, rebuild
from tfmot_onexn.networks.random_weights import random_images, randomize


def network():
    image = layers.Input((8, 8, 3), name="image")
    first = layers.Conv2D(4, 3, padding="same", name="first")
    x = first(image)
    shared = layers.Conv2D(4, 1, name="shared")
    x = layers.Add(name="sum")([shared(x), shared(layers.ReLU(name="relu")(x))])
    x = x * 2.0 + 1.0
    model = tf_keras.Model(image, [x, layers.GlobalMaxPooling2D(name="most")(x)])
    return randomize(model) or model


def call_of(found, name):
    return next(call for call in found.calls if call.layer.name == name)


def test_without_replacements_it_is_a_copy():
    model = network()
    copy = rebuild.rebuild(model, {}, calls.of_model(model))
    images = random_images(model, 2)
    wanted = model.predict_on_batch(images)
    for found, expected in zip(copy.predict_on_batch(images), wanted, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert copy.output_names == model.output_names
    assert [layer.name for layer in copy.layers] == [x.name for x in model.layers]
    copy.get_layer("first").kernel.assign_add(np.ones((3, 3, 3, 4)))
    np.testing.assert_array_equal(model.predict_on_batch(images)[1], wanted[1])


def test_calls_are_replaced_left_out_and_added():
    model = network()
    found = calls.of_model(model)
    negated = layers.Rescaling(-1.0, name="negated")
    wider = layers.Conv2D(4, 5, name="wider")
    weights = [np.ones((5, 5, 3, 4), np.float32), np.zeros(4, np.float32)]
    changed = rebuild.rebuild(
        model,
        {
            call_of(found, "relu"): lambda tensors: tensors[0],
            call_of(found, "most"): lambda tensors: negated(tensors[0]),
            call_of(found, "first"): lambda tensors: wider(
                layers.ZeroPadding2D(2)(tensors[0])
            ),
        },
        found,
        {wider: weights},
    )
    image = np.ones((1, 8, 8, 3), np.float32)
    summed, negative = changed.predict_on_batch(image)
    # 75 taps of one in the middle
    kernel, bias = model.get_layer("shared").get_weights()
    middle = 2 * (2 * (75 * kernel[0, 0].sum(axis=0) + bias)) + 1
    np.testing.assert_allclose(summed[0, 4, 4], middle, rtol=1e-5)
    np.testing.assert_array_equal(negative, -summed)


def test_layers_of_one_name_in_two_models_are_refused():
    def inner(name):
        image = layers.Input((4, 4, 3))
        return tf_keras.Model(image, layers.Conv2D(3, 1, name="same")(image), name=name)

    image = layers.Input((4, 4, 3))
    model = tf_keras.Model(image, inner("b")(inner("a")(image)))
    with pytest.raises(ValueError, match='name "same" is used 2 times'):
        rebuild.rebuild(model, {}, calls.of_model(model))
