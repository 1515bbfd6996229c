"""Small Keras graphs and the measure of agreement."""

import numpy as np
import tf_keras
from tf_keras import layers

from tfmot_onexn.graph import reindex, surgery, tracing


def relative_error(actual, expected):
    """max|a - b| / max|b|, the measure of every agreement check."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def images(model, count=2, seed=0):
    shape = model.input_shape[1:]
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, (count, *shape)).astype(model.input.dtype.name)


def branches():
    """Concat, residual add, squeeze-and-excite, Flatten and a depth multiplier."""
    image = layers.Input((8, 8, 3))
    stem = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(image)
    left = layers.Conv2D(12, 1, name="left")(stem)
    right = layers.Conv2D(8, 1, name="right")(stem)
    right = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(right)
    both = layers.Concatenate(name="both")([left, right])
    both = layers.BatchNormalization()(both)
    x = layers.Conv2D(16, 1, name="into_residual")(both)
    y = layers.Conv2D(16, 1, activation="swish", name="in_residual")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(4, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(16, 1, activation="sigmoid", name="excite")(gate)
    y = layers.Multiply()([y, gate])
    x = layers.Add()([x, y])
    x = layers.Reshape((16, 2, 32))(layers.Conv2D(16, 1, name="cut_up")(x))
    x = layers.Conv2D(6, 1, name="before_flatten")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10, name="hidden")(x)
    x = layers.Reshape((1, 1, 10))(x)
    return tf_keras.Model(image, layers.Conv2D(5, 1, name="last")(x))


def small_network(width=1):
    """An inverted residual and a classifier, all kinds of layers that pruning meets."""
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(8 * width, 3, 2, "same", use_bias=False, name="stem")(image)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = block_input = layers.ReLU(6.0)(x)
    x = layers.Conv2D(24 * width, 1, use_bias=False, name="expand")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(8 * width, 1, use_bias=False, name="project")(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    x = layers.Add()([block_input, x])
    x = layers.Conv2D(32 * width, 1, name="head")(x)
    x = layers.BatchNormalization(scale=False, momentum=0.9)(x)
    x = layers.ReLU()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(image, layers.Dense(4, name="classifier")(x), name="small")


def batch(model, count=32, seed=0):
    """Images and labels to train a classifier on."""
    labels = np.random.default_rng(seed).integers(0, model.output_shape[-1], count)
    return images(model, count, seed), labels


def compiled(model, momentum=0.9, **kwargs):
    optimizer = tf_keras.optimizers.SGD(0.05, momentum=momentum)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, **kwargs)
    return model


def group_of(graph, name):
    """The group of the channels that the named layer makes."""
    (group,) = [
        g for g in graph.groups if name in [layer.name for layer in g.producers]
    ]
    return group


def random_orders(model, seed=0):
    """A random order for every free group."""
    rng = np.random.default_rng(seed)
    groups = tracing.trace(model).groups
    return {g: rng.permutation(g.size) for g in groups if not g.pinned}


def reordered(model, orders):
    return surgery.copy_model(model, reindex.reindexed_weights(orders))


def silence(model, share=0.5):
    """Sets some channels of every removable group to zero; returns their number."""
    count = 0
    for group in tracing.trace(model).groups:
        if group.pinned or group.kept or not group.producers:
            continue
        gone = np.arange(int(group.size * share))
        for member in group.members:
            unscaled = member.axis.role == "mean" and not member.axis.layer.scale
            if unscaled or member.axis.role in ("output", "bias", "scale"):
                variable = member.axis.layer.weights[member.axis.weight]
                value = np.moveaxis(variable.numpy(), member.axis.axis, 0)
                value[member.positions[:, gone]] = 0
                variable.assign(np.moveaxis(value, 0, member.axis.axis))
        count += gone.size
    return count


_SHAPES = {1: (8, 3), 2: (8, 8, 3), 3: (4, 4, 4, 3)}


def sandwich(layer, rank=2, width=8):
    """A network with ``layer`` between two convolutions; ``rank`` axes of positions."""
    convolutions = {1: layers.Conv1D, 2: layers.Conv2D, 3: layers.Conv3D}
    convolution = convolutions[rank]
    image = layers.Input(_SHAPES[rank])
    x = layer(convolution(width, 1, name="before")(image))
    positions = len(x.shape) - 2
    after = convolutions.get(positions)
    x = (after(4, 1, name="after") if after else layers.Dense(4, name="after"))(x)
    return tf_keras.Model(image, x)
