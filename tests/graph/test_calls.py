import numpy as np
import pytest
import tf_keras
from graphs import branches, images, small_network
from tf_keras import layers

from tfmot_onexn.graph import calls
from tfmot_onexn.networks.random_weights import randomize


def nested():
    """A model inside a model, called twice, and an operator without a layer."""
    inside = tf_keras.Sequential([layers.Conv2D(3, 1), layers.ReLU()], name="inside")
    image = layers.Input((4, 4, 3))
    x = inside(inside(image)) * 2.0
    return tf_keras.Model(image, [layers.Add()([x, image]), x])


def run(model, x):
    """Computes a model call by call."""
    found = calls.of_model(model)
    values = dict(zip(found.inputs, [x], strict=True))
    for call in found.calls:
        values.update(zip(call.outputs, call.run(values), strict=True))
    return [values[number] for number in found.outputs]


@pytest.mark.parametrize("make", [small_network, branches, nested])
def test_the_calls_one_by_one_compute_the_model(make):
    model = randomize(make())
    x = images(model)
    expected = model(x, training=False)
    expected = expected if isinstance(expected, list) else [expected]
    for actual, wanted in zip(run(model, x), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)


def test_another_layer_can_take_the_place_of_one():
    model = randomize(small_network())
    found = calls.of_model(model)
    call = next(c for c in found.calls if c.layer.name == "stem")
    values = {found.inputs[0]: images(model)}
    other = layers.Conv2D(8, 3, 2, "same", use_bias=False)
    (made,) = call.run(values, other)
    np.testing.assert_array_equal(made, other(images(model)))
    assert call.shapes == ((None, 4, 4, 8),)


def test_readers_of_a_tensor_are_found():
    found = calls.of_model(small_network())
    by_name = {call.layer.name: call for call in found.calls}
    assert found.sole_reader(by_name["expand"]).layer.name.startswith("batch")
    block_input = by_name["expand"].inputs[0]
    readers = [found.calls[index].layer for index in found.readers(block_input)]
    assert [type(layer).__name__ for layer in readers] == ["Conv2D", "Add"]
    before = next(c for c in found.calls if block_input in c.outputs)
    assert found.sole_reader(before) is None
    last = found.last_reading()
    assert last[block_input] == max(found.readers(block_input))
    assert last[found.outputs[0]] == len(found.calls)
    assert found.sole_reader(found.calls[-1]) is None


def test_what_is_read_twice_by_one_call_has_two_readers():
    image = layers.Input((4,))
    x = layers.Dense(4)(image)
    found = calls.of_model(tf_keras.Model(image, layers.Add()([x, x])))
    assert found.sole_reader(found.calls[0]) is None


def test_a_model_without_a_graph_is_refused():
    model = tf_keras.Sequential([layers.Dense(3)], name="unbuilt")
    with pytest.raises(ValueError, match=r"'unbuilt' cannot be followed"):
        calls.of_model(model)
