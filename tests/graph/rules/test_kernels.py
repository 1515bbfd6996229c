import numpy as np
import pytest
from graphs import group_of, sandwich
from tf_keras import layers

from tfmot_onexn.graph import tracing


@pytest.mark.parametrize(
    ("layer", "rank"),
    [
        (layers.Conv1D(8, 3, activation="relu"), 1),
        (layers.Conv2D(8, 3, activation="relu"), 2),
        (layers.Conv2D(8, 3, use_bias=False, strides=2), 2),
        (layers.Conv2D(8, 3, dilation_rate=2, activation=layers.ReLU(6.0)), 2),
        (layers.Conv3D(8, 3), 3),
        (layers.Conv1DTranspose(8, 3), 1),
        (layers.Conv2DTranspose(8, 3, activation="tanh"), 2),
        (layers.Conv3DTranspose(8, 3), 3),
        (layers.Dense(8, activation="gelu"), 2),
        (layers.DepthwiseConv1D(3), 1),
        (layers.DepthwiseConv2D(3, activation="relu"), 2),
        (layers.DepthwiseConv2D(3, depth_multiplier=3), 2),
        (layers.SeparableConv1D(8, 3), 1),
        (layers.SeparableConv2D(8, 3, activation="relu"), 2),
        (layers.SeparableConv2D(8, 3, depth_multiplier=2), 2),
    ],
)
def test_kernels_pass_any_order_on(passes, layer, rank):
    passes(layer, rank)


@pytest.mark.parametrize(
    ("layer", "rank"),
    [
        (layers.Conv1D(6, 3, groups=2), 1),
        (layers.Conv2D(12, 3, groups=4, activation="relu"), 2),
        (layers.Conv2D(8, 3, groups=8), 2),
        (layers.Conv2D(24, 3, groups=8, use_bias=False), 2),
    ],
)
def test_grouped_convolutions_keep_their_groups(moves_only, layer, rank):
    found = moves_only(layer, rank)
    each = 8 // layer.groups
    assert found.size == (each if each > 1 else 8)


def test_channels_of_a_grouped_convolution_move_inside_their_group():
    model = sandwich(layers.Conv2D(12, 1, groups=2, name="grouped"))
    graph = tracing.trace(model)
    made = [g for g in graph.groups if "grouped" in [p.name for p in g.producers]]
    assert [group.size for group in made] == [6, 6]
    assert all("makes its channels in groups" in group.kept[0] for group in made)
    (read,) = [
        m for m in group_of(graph, "before").members if m.axis.layer.name == "before"
    ][:1]
    np.testing.assert_array_equal(read.positions, [range(4), range(4, 8)])


def test_a_removed_gate_is_kept_where_it_would_leak(moves_only):
    found = moves_only(layers.Activation("sigmoid"))
    assert found.kept == ("a removed channel would not be zero before after",)


def test_channels_first_is_not_followed(monkeypatch):
    layer = layers.Conv2D(8, 1, name="first")
    model = sandwich(layer)
    monkeypatch.setattr(layer, "data_format", "channels_first")
    graph = tracing.trace(model)
    assert graph.untraced == ("first (Conv2D): channels_first",)
    assert group_of(graph, "before").pinned
