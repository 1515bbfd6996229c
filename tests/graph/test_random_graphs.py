"""Networks drawn at random: what the tracer calls free is free."""

import numpy as np
import tf_keras
from graphs import images, random_orders, relative_error, reordered, silence
from hypothesis import given, settings
from hypothesis import strategies as st
from tf_keras import layers

from tfmot_onexn.experiments.equality import float64
from tfmot_onexn.graph import shrink, tracing
from tfmot_onexn.networks.random_weights import randomize

WIDTHS = (2, 3, 4, 6)
UNARY = {
    "conv": lambda x, w: layers.Conv2D(w, 3, padding="same", activation="relu")(x),
    "pointwise": lambda x, w: layers.Conv2D(w, 1, use_bias=False)(x),
    "separable": lambda x, w: layers.SeparableConv2D(w, 3, padding="same")(x),
    "grouped": lambda x, w: layers.Conv2D(
        w * x.shape[-1], 1, groups=x.shape[-1], activation="tanh"
    )(x),
    "depthwise": lambda x, w: layers.DepthwiseConv2D(3, padding="same")(x),
    "multiplied": lambda x, w: layers.DepthwiseConv2D(1, depth_multiplier=2)(x),
    "norm": lambda x, w: layers.BatchNormalization()(x),
    "unscaled": lambda x, w: layers.BatchNormalization(scale=False)(x),
    "layer_norm": lambda x, w: layers.LayerNormalization()(x),
    "prelu": lambda x, w: layers.PReLU()(x),
    "swish": lambda x, w: layers.Activation("swish")(x),
    "sigmoid": lambda x, w: layers.Activation("sigmoid")(x),
    "pool": lambda x, w: layers.AveragePooling2D(3, 1, "same")(x),
    "slice": lambda x, w: x[..., : max(1, x.shape[-1] // 2)],
    "upper": lambda x, w: x[..., x.shape[-1] // 2 :],
}


def excited(x):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(3, 1, activation="relu")(gate)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid")(gate)
    return layers.Multiply()([x, gate])


def like(x, other):
    return layers.Conv2D(other.shape[-1], 1)(x)


def shared(x, other):
    """One layer called twice."""
    layer = layers.Conv2D(4, 3, padding="same")
    return layers.Concatenate()([layer(x), layer(like(other, x))])


BINARY = {
    "add": lambda x, y: layers.Add()([like(x, y), y]),
    "multiply": lambda x, y: layers.Multiply()([like(x, y), y]),
    "concat": lambda x, y: layers.Concatenate()([x, y]),
    "twice": lambda x, y: layers.Concatenate()([x, x]),
    "excited": lambda x, y: excited(x),
    "shared": shared,
}


steps = st.tuples(
    st.sampled_from([*UNARY, *BINARY]),
    st.integers(0, 9),
    st.integers(0, 9),
    st.sampled_from(WIDTHS),
)
programs = st.lists(steps, min_size=1, max_size=7)


def built(program):
    """A network from steps (kind, which map, which other map, width)."""
    image = layers.Input((4, 4, 3))
    maps = [layers.Conv2D(6, 1)(image)]
    for kind, one, other, width in program:
        x, y = maps[one % len(maps)], maps[other % len(maps)]
        x = UNARY[kind](x, width) if kind in UNARY else BINARY[kind](x, y)
        if x.shape[-1] <= 24:
            maps.append(x)
    ends = [layers.Conv2D(5, 1)(maps[-1]), layers.Dense(3)(layers.Flatten()(maps[-1]))]
    if len(maps) > 2:
        ends.append(layers.Conv2D(2, 1)(layers.Concatenate()(maps[-2:])))
    return tf_keras.Model(image, ends)


def worst_error(actual, expected):
    return max(map(relative_error, actual, expected))


@settings(max_examples=60)
@given(programs)
def test_reordering_and_removal_keep_the_outputs(program):
    with float64():
        model = randomize(built(program))
        x = images(model, 3)
        expected = model(x)
        graph = tracing.trace(model)
        assert graph.untraced == ()
        orders = random_orders(model, seed=1)
        assert orders
        moved = reordered(model, orders)
        assert worst_error(moved(x), expected) <= 1e-9
        if silence(model):
            small = shrink.shrink_filters(model)
            assert small.count_params() < model.count_params()
            assert worst_error(small(x), model(x)) <= 1e-9
    tf_keras.backend.clear_session()


def test_the_check_sees_a_wrong_order():
    image = layers.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="made")(image)
    model = randomize(tf_keras.Model(image, [layers.Conv2D(5, 1)(x)] * 2))
    moved = reordered(model, random_orders(model, seed=1))
    layer = moved.get_layer("made")
    layer.set_weights([np.flip(w, -1) for w in layer.get_weights()])
    x = images(model, 3)
    assert worst_error(moved(x), model(x)) > 1e-2
