import numpy as np
import pytest
import tf_keras
from calibration import inverted, separable, squeezed
from tf_keras import layers

from tfmot_onexn.graph import calls
from tfmot_onexn.pruning.calibration import units

NOTHING = (-np.inf, np.inf)


def found(model, pruned=()):
    return {u.layer.name: u for u in units.find(calls.of_model(model), set(pruned))}


def after(*chain, shape=(8, 8, 3)):
    x = image = layers.Input(shape)
    for layer in chain:
        x = layer(x)
    return tf_keras.Model(image, x)


def test_units_of_a_separable_network():
    by_name = found(separable())
    assert [*by_name][:2] == ["depthwise_0", "point_0"]
    assert "stem" not in by_name
    point = by_name["point_1"]
    assert (point.norm.name, point.bounds) == ("point_1_norm", (0, 6))
    assert point.shortcut is None
    assert [u.depthwise for u in by_name.values()][:2] == [True, False]
    classifier = by_name["classifier"]
    assert (classifier.norm, classifier.bounds) == (None, NOTHING)


def test_a_projection_knows_its_shortcut():
    model = inverted()
    by_name = found(model)
    project = by_name["project_1"]
    assert project.bounds == NOTHING
    assert project.shortcut == by_name["expand_1"].source
    assert by_name["expand_1"].shortcut is None


def test_a_shortcut_that_comes_later_is_not_known():
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 1, name="first")(image)
    y = layers.Conv2D(4, 1, name="second")(image)
    by_name = found(tf_keras.Model(image, layers.Add()([x, y])))
    known = [by_name[name].shortcut is not None for name in ("first", "second")]
    assert sorted(known) == [False, True]


def test_a_hard_swish_clips_on_one_side():
    by_name = found(squeezed())
    assert by_name["expand_0"].bounds == (-3, np.inf)
    assert by_name["depthwise_0"].bounds == (0, 6)
    assert by_name["squeeze_0"].bounds == (0, np.inf)
    assert by_name["excite_0"].bounds == NOTHING


@pytest.mark.parametrize(
    ("chain", "bounds"),
    [
        ([layers.Conv2D(4, 1, activation="relu")], (0, np.inf)),
        ([layers.Conv2D(4, 1), layers.Activation("relu")], (0, np.inf)),
        ([layers.Conv2D(4, 1), layers.ReLU(4.0)], (0, 4)),
        ([layers.Conv2D(4, 1), layers.ReLU(threshold=1.0)], NOTHING),
        ([layers.Conv2D(4, 1), layers.LeakyReLU()], NOTHING),
        ([layers.Conv2D(4, 1, activation="swish")], NOTHING),
    ],
)
def test_activations_clip_where_they_are_constant(chain, bounds):
    (unit,) = found(after(*chain)).values()
    assert unit.bounds == bounds


def test_a_normalization_past_an_activation_is_not_of_the_unit():
    chain = layers.Conv2D(4, 1, activation="relu"), layers.BatchNormalization()
    (unit,) = found(after(*chain)).values()
    assert unit.norm is None
    rows = layers.Conv2D(4, 1), layers.BatchNormalization(axis=1)
    (unit,) = found(after(*rows)).values()
    assert unit.norm is None


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (layers.Conv2D(4, 3, name="wide"), "'wide' .*not that of a 1x1 convolution"),
        (layers.Conv2D(6, 1, groups=3, name="parts"), "'parts' .*it has groups"),
        (layers.SeparableConv2D(4, 3, name="both"), r"'both' \(SeparableConv2D\)"),
    ],
)
def test_what_cannot_be_solved_for_is_refused_if_it_is_to_be_pruned(layer, message):
    model = after(layer)
    assert found(model) == {}
    with pytest.raises(ValueError, match=message):
        found(model, [id(layer)])


def test_channels_that_come_first_are_refused():
    layer = layers.Conv2D(4, 1, data_format="channels_first", name="first")
    with pytest.raises(ValueError, match=r"'first' .*its channels come first"):
        found(after(layer), [id(layer)])
