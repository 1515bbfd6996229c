import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tfmot_onexn.graph import rules, tracing


def group_of(graph, name):
    (group,) = [
        g for g in graph.groups if name in [layer.name for layer in g.producers]
    ]
    return group


def test_a_reshape_that_cuts_channels_pins_them():
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(16, 1, name="cut")(image)
    x = layers.Reshape((16, 8, 8), name="halves")(x)
    graph = tracing.trace(tf_keras.Model(image, layers.Conv2D(2, 1)(x)))
    assert group_of(graph, "cut").pinned
    assert graph.untraced == ("halves (Reshape): splits or mixes channels",)


def test_a_removed_gate_is_kept_where_it_would_leak():
    image = layers.Input((4, 4, 3))
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="gate")(image)
    model = tf_keras.Model(image, layers.Conv2D(2, 1, name="reader")(gate))
    group = group_of(tracing.trace(model), "gate")
    assert not group.pinned
    assert group.kept == ("a removed channel would not be zero before reader",)


class Shuffle(layers.Layer):
    def call(self, inputs):
        return inputs[..., ::-1]


class Standardized(layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - 1.0)


class Renamed(layers.Conv2D):
    pass


def test_an_unknown_layer_pins_its_group_and_is_named():
    image = layers.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="before")(image)
    x = Shuffle(name="shuffle")(x)
    x = layers.Conv2D(8, 1, name="between")(x)
    x = layers.Conv2D(8, 1, activation=lambda t: t[..., ::-1], name="odd")(x)
    x = Standardized(8, 1, name="other_arithmetic")(x)
    x = Renamed(8, 1, name="subclass")(x)
    model = tf_keras.Model(image, layers.Conv2D(2, 1)(x))
    graph = tracing.trace(model)
    free = {layer.name for g in graph.groups if not g.pinned for layer in g.producers}
    assert free == {"between", "subclass"}
    listed = "\n".join(graph.untraced)
    assert "shuffle (Shuffle): no rule for this kind of layer" in listed
    assert "odd has the activation <lambda>, which may mix channels" in listed
    assert "other_arithmetic (Standardized)" in listed
    assert "shuffle" in group_of(graph, "before").pinned[0]


def between(layer):
    """Traces a layer between two convolutions; returns the first one's group."""
    image = layers.Input((8, 8, 3))
    x = layer(layers.Conv2D(8, 1, name="before")(image))
    model = tf_keras.Model(image, layers.Conv2D(2, 1, name="after")(x))
    return group_of(tracing.trace(model), "before")


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU(6.0),
        layers.LeakyReLU(),
        layers.Dropout(0.5),
        layers.ZeroPadding2D(1),
        layers.Cropping2D(1),
        layers.UpSampling2D(2),
        layers.MaxPooling2D(2),
        layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D(keepdims=True),
        layers.DepthwiseConv2D(3),
        layers.BatchNormalization(),
        layers.Activation("swish"),
        layers.Activation(tf.nn.relu6),
        layers.Rescaling(0.5),
        lambda x: x * 0.5,
        lambda x: x / 2.0,
        lambda x: x + x,
        lambda x: tf.nn.relu6(x),
        lambda x: tf_keras.layers.Multiply()([x, tf.sigmoid(x)]),
    ],
)
def test_channels_pass_in_order_and_can_be_removed(layer):
    group = between(layer)
    assert group.pinned == ()
    assert group.kept == ()
    assert "after" in {member.axis.layer.name for member in group.members}


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("sigmoid"),
        layers.Activation("softplus"),
        layers.Softmax(),
        layers.Rescaling(1.0, offset=0.5),
        lambda x: x + 1.0,
        lambda x: tf.exp(x),
        lambda x: tf.sigmoid(x),
    ],
)
def test_channels_that_would_not_be_zero_can_only_be_reordered(layer):
    group = between(layer)
    assert group.pinned == ()
    assert len(group.kept) >= 1


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(8, 1, groups=2, name="cannot"),
        layers.BatchNormalization(axis=1, name="cannot"),
        layers.LayerNormalization(name="cannot"),
        layers.Rescaling(np.arange(8.0), name="cannot"),
        layers.Permute((3, 1, 2), name="cannot"),
        lambda x: tf.reverse(x, [3]),
        lambda x: x + np.arange(8.0, dtype=np.float32),
        lambda x: 1.0 / x,
        lambda x: x[..., :4],
    ],
)
def test_what_has_no_rule_pins_its_group(layer):
    assert between(layer).pinned


def test_a_channel_that_is_broadcast_is_tied_to_none():
    image = layers.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="wide")(image)
    gate = layers.Conv2D(1, 1, name="gate")(image)
    model = tf_keras.Model(image, layers.Conv2D(2, 1)(layers.Multiply()([x, gate])))
    graph = tracing.trace(model)
    assert group_of(graph, "wide").size == 8
    assert not group_of(graph, "wide").pinned
    assert [layer.name for layer in group_of(graph, "wide").producers] == ["wide"]


def test_rules_hold_for_subclasses_that_compute_the_same():
    assert rules.rule_for(Renamed(2, 1)) is rules.rule_for(layers.Conv2D(2, 1))
    assert rules.rule_for(Standardized(2, 1)) is None
    assert rules.rule_for(Shuffle()) is None
