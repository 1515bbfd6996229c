"""Ways to train small models, and what to read off them afterwards."""

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper
from tf_keras import layers


def tiny_network():
    """Two convolutions, BatchNormalization and a classifier: 200 weights."""
    return tf_keras.Sequential(
        [
            layers.Conv2D(8, 3, activation="relu", input_shape=(5, 5, 2), name="stem"),
            layers.BatchNormalization(name="norm"),
            layers.Conv2D(8, 1, activation="relu", name="point"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, name="end"),
        ],
        name="tiny",
    )


def twin(model):
    """Returns a copy with the same weights."""
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def wrappers(model):
    """Returns all pruning wrappers, ours or tfmot's."""
    kind = pruning_wrapper.PruneLowMagnitude
    return [layer for layer in model._flatten_layers() if isinstance(layer, kind)]


def masks_of(model):
    return [
        mask.numpy().astype(bool)
        for wrapper in wrappers(model)
        for _, mask, _ in wrapper.pruning_vars
    ]


def assert_pruned_weights_are_zero(model):
    for wrapper in wrappers(model):
        for weight, mask, _ in wrapper.pruning_vars:
            assert (weight.numpy()[mask.numpy() == 0] == 0).all(), wrapper.name


def assert_same_weights(one, other, atol=0.0):
    for expected, actual in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(actual, expected, atol=atol, err_msg=expected.name)


class RecordMasks(tf_keras.callbacks.Callback):
    """Notes every mask after each step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(masks_of(self.model))


def loop(model, x, y, batch_size, epochs, callback, *, as_function=True, parts=1):
    """Trains as ``fit`` does, in a loop of its own that drives a pruning callback.

    Args:
      as_function: whether the step is a `tf.function`.
      parts: of a batch, whose gradients are summed before the optimizer's step.
    """

    def gradients_of(images, labels):
        with tf.GradientTape() as tape:
            loss = model.loss(labels, model(images, training=True)) / parts
        return tape.gradient(loss, model.trainable_variables)

    def step(images, labels):
        pieces = [
            gradients_of(*piece)
            for piece in zip(
                tf.split(images, parts), tf.split(labels, parts), strict=True
            )
        ]
        gradients = [tf.add_n(same) for same in zip(*pieces, strict=True)]
        model.optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )

    callback.set_model(model)
    callback.on_train_begin()
    if as_function:
        step = tf.function(step)
    for _ in range(epochs):
        for start in range(0, len(x), batch_size):
            callback.on_train_batch_begin(batch=-1)
            stop = start + batch_size
            step(tf.constant(x[start:stop]), tf.constant(y[start:stop]))
            callback.on_train_batch_end(batch=-1)
        callback.on_epoch_end(batch=-1)
    callback.on_train_end()
