import numpy as np
import pytest
import tf_keras
from graphs import group_of
from tf_keras import layers

from tfmot_onexn.graph import tracing


def with_twin(join):
    def both(x):
        return join([x, layers.Conv2D(8, 1, name="twin")(x)])

    return both


@pytest.mark.parametrize(
    "join",
    [
        layers.Add(),
        layers.Subtract(),
        layers.Average(),
        layers.Maximum(),
        layers.Minimum(),
        layers.Multiply(),
        layers.Concatenate(),
        layers.Concatenate(axis=1),
        tf_keras.src.applications.inception_resnet_v2.CustomScaleLayer(0.2),
    ],
)
def test_operands_share_an_order(passes, join):
    passes(with_twin(join))


def test_an_added_layer_is_tied_and_a_concatenated_one_is_not():
    for join, tied in ((layers.Add(), True), (layers.Concatenate(), False)):
        image = layers.Input((4, 4, 3))
        x = layers.Conv2D(8, 1, name="before")(image)
        x = with_twin(join)(x)
        model = tf_keras.Model(image, layers.Conv2D(2, 1, name="after")(x))
        group = group_of(tracing.trace(model), "before")
        assert ("twin" in [p.name for p in group.producers]) == tied


def test_concatenated_channels_keep_their_offset():
    image = layers.Input((4, 4, 3))
    parts = [layers.Conv2D(w, 1, name=f"w{w}")(image) for w in (3, 5, 2)]
    x = layers.Conv2D(2, 1, name="after")(layers.Concatenate()(parts))
    graph = tracing.trace(tf_keras.Model(image, x))
    for width, start in ((3, 0), (5, 3), (2, 8)):
        (read,) = [
            m
            for m in group_of(graph, f"w{width}").members
            if m.axis.layer.name == "after"
        ]
        np.testing.assert_array_equal(read.positions, [range(start, start + width)])


def test_a_channel_that_is_broadcast_is_tied_to_none(passes):
    def gated(x):
        return layers.Multiply()([x, layers.Conv2D(1, 1, name="gate")(x)])

    passes(gated)
