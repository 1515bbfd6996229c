import numpy as np
import pytest
import tensorflow as tf
from tf_keras import layers


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 0.5,
        lambda x: 0.5 * x,
        lambda x: x / 2.0,
        lambda x: x + x,
        lambda x: x + 0.0,
        lambda x: x - 2.0 * x,
        lambda x: tf.maximum(x, 0.0),
        lambda x: tf.nn.relu6(x),
        lambda x: tf.nn.gelu(x),
        lambda x: tf.nn.swish(x),
        lambda x: tf.cast(x, tf.float64),
        lambda x: layers.Multiply()([x, tf.sigmoid(x)]),
        lambda x: x * tf.reduce_mean(x, axis=[1, 2], keepdims=True),
        lambda x: tf.reduce_mean(x, [1, 2]),
        lambda x: tf.reduce_max(x, axis=1),
        lambda x: tf.concat([x, tf.nn.relu(x)], axis=-1),
        lambda x: tf.concat([x, x], 1),
        lambda x: tf.nn.avg_pool2d(x, 2, 2, "VALID"),
        lambda x: tf.image.resize(x, (4, 4)),
        lambda x: tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]),
        lambda x: x[:, :4],
        lambda x: x[:, ::2, ::2, :],
        lambda x: x[:, 0],
    ],
)
def test_channels_pass_in_any_order(passes, function):
    passes(function)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1.0,
        lambda x: 1.0 / (tf.abs(x) + 1.0),
        lambda x: tf.exp(x),
        lambda x: tf.sigmoid(x),
        lambda x: tf.minimum(x, -0.5),
        lambda x: tf.reshape(x, (-1, 64, 8)),
    ],
)
def test_channels_that_cannot_be_removed_can_be_reordered(moves_only, function):
    assert moves_only(function).size == 8


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reverse(x, [3]),
        lambda x: tf.reduce_mean(x, -1, keepdims=True),
        lambda x: tf.reduce_mean(x, keepdims=True),
        lambda x: tf.reshape(x, (-1, 8, 8, 4, 2)),
        lambda x: tf.pad(x, [[0, 0], [0, 0], [0, 0], [1, 1]]),
        lambda x: x[..., ::-1],
        lambda x: x[..., 3],
        lambda x: x[:, :, :, tf.newaxis, :],
    ],
)
def test_other_functions_are_named(stays, function):
    assert stays(function).untraced


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + np.arange(8, dtype=np.float32),
        lambda x: x * tf.reshape(tf.range(1.0, 9.0), (1, 1, 1, 8)),
        lambda x: x / np.arange(1, 9, dtype=np.float32),
    ],
)
def test_a_number_for_each_channel_pins(stays, function):
    found = stays(function)
    assert "has a number for each channel" in found.pinned[0]
    assert found.untraced == ()


def halves(x):
    return layers.Concatenate()([tf.nn.relu(x[..., :3]), x[..., 3:]])


def swapped(x):
    return tf.concat([x[..., 4:], x[..., :4] * 2.0], -1)


def folded(x):
    return x[..., :4] * x[..., 4:]


def parted(x):
    first, second, third = tf.split(x, [3, 3, 2], axis=-1)
    return tf.concat([second * 2.0 + first, third], -1)


def stacked(x):
    upper, lower = tf.split(x, 2, axis=1)
    return upper * 3.0 + lower


@pytest.mark.parametrize(
    "function", [halves, swapped, folded, parted, stacked, lambda x: x[..., 2:6]]
)
def test_a_slice_moves_among_itself(verdict_on, function):
    found = verdict_on(function)
    assert found.untraced == ()
    assert found.pinned == ()
