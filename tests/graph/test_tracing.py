import numpy as np
import pytest
import tf_keras
from graphs import branches, group_of
from tf_keras import layers

from tfmot_onexn.graph import tracing


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
        with pytest.raises(ValueError, match=r"cannot be followed.*functional API"):
            tracing.trace(model)
