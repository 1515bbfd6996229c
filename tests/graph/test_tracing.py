import numpy as np
import pytest
import tf_keras
from graphs import branches
from tf_keras import layers

from tfmot_onexn.graph import tracing


def group_of(graph, name):
    (group,) = [
        g for g in graph.groups if name in [layer.name for layer in g.producers]
    ]
    return group


def names(group):
    return {member.axis.layer.name for member in group.members}


def test_mobilenet_v2_ties_what_its_residual_adds_tie():
    model = tf_keras.applications.MobileNetV2((32, 32, 3), 0.35, weights=None)
    graph = tracing.trace(model)
    assert not graph.untraced
    free = [group for group in graph.groups if not group.pinned]
    kernels = [layer for layer in model.layers if type(layer) is layers.Conv2D]
    assert sum(len(group.producers) for group in free) == len(kernels)
    assert {layer.name for layer in group_of(graph, "block_8_project").producers} == {
        f"block_{i}_project" for i in (6, 7, 8, 9)
    }
    assert names(group_of(graph, "block_1_expand")) == {
        "block_1_expand",
        "block_1_expand_BN",
        "block_1_depthwise",
        "block_1_depthwise_BN",
        "block_1_project",
    }
    pinned = [group for group in graph.groups if group.pinned]
    assert [group.pinned for group in pinned] == [
        ("is an input of the model",),
        ("is an output of the model",),
    ]


@pytest.mark.parametrize("name", ["MobileNet", "MobileNetV3Small", "MobileNetV3Large"])
def test_pointwise_convolutions_of_the_other_mobilenets_are_free(name):
    model = getattr(tf_keras.applications, name)((32, 32, 3), weights=None)
    graph = tracing.trace(model)
    assert not graph.untraced
    pinned = [layer.name for g in graph.groups if g.pinned for layer in g.producers]
    assert pinned in (["conv_preds"], ["Logits"])


def test_groups_of_a_graph_with_branches():
    graph = tracing.trace(branches())
    left, right = group_of(graph, "left"), group_of(graph, "right")
    assert left.size == 12
    assert "into_residual" in names(left) & names(right)
    (normalized, *_) = [m for m in right.members if m.axis.role == "scale"]
    np.testing.assert_array_equal(
        normalized.positions, [range(12, 28, 2), range(13, 28, 2)]
    )
    assert names(group_of(graph, "excite")) >= {"into_residual", "in_residual"}
    (read,) = [
        m for m in group_of(graph, "before_flatten").members if m.axis.role == "input"
    ]
    assert read.positions.shape == (32, 6)
    assert not graph.untraced
    (read,) = [
        m for m in group_of(graph, "excite").members if m.axis.layer.name == "cut_up"
    ]
    assert read.axis.role == "input"


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


def test_a_shared_layer_ties_the_channels_of_its_calls():
    shared = layers.Conv2D(8, 1, name="shared")
    one, two = layers.Input((4, 4, 3)), layers.Input((4, 4, 3))
    a = layers.Conv2D(6, 1, name="a")(one)
    b = layers.Conv2D(6, 1, name="b")(two)
    joined = layers.Concatenate()([shared(a), shared(b)])
    model = tf_keras.Model([one, two], layers.Conv2D(2, 1, name="end")(joined))
    graph = tracing.trace(model)
    assert {layer.name for layer in group_of(graph, "a").producers} == {"a", "b"}
    (read,) = [
        m for m in group_of(graph, "shared").members if m.axis.layer.name == "end"
    ]
    np.testing.assert_array_equal(read.positions, [range(8), range(8, 16)])


def test_a_model_inside_a_model_is_followed():
    inner_in = layers.Input((4, 4, 6))
    inner = tf_keras.Model(inner_in, layers.Conv2D(8, 1, name="inner")(inner_in))
    image = layers.Input((4, 4, 3))
    x = inner(layers.Conv2D(6, 1, name="outer")(image))
    model = tf_keras.Model(image, layers.Conv2D(2, 1, name="end")(x))
    graph = tracing.trace(model)
    assert names(group_of(graph, "outer")) == {"outer", "inner"}
    assert names(group_of(graph, "inner")) == {"inner", "end"}


def test_a_model_without_graph_is_refused():
    class Subclassed(tf_keras.Model):
        pass

    for model in (Subclassed(name="mine"), tf_keras.Sequential([layers.Dense(2)])):
        with pytest.raises(ValueError, match=r"cannot be traced.*functional API"):
            tracing.trace(model)
