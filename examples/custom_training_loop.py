"""Prunes gradually inside a training loop of its own, without ``fit``.

Run as ``python examples/custom_training_loop.py [--epochs 8] [--output loop.tflite]``.
"""

import argparse

import numpy as np
import tensorflow as tf
import tf_keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import tfmot_onexn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--output", default="loop.tflite")
arguments = parser.parse_args()

images, labels = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8, 1).astype("float32") / 8 - 1
images, test_images, labels, test_labels = train_test_split(
    images, labels, test_size=0.2, random_state=0, stratify=labels
)
batches = tf.data.Dataset.from_tensor_slices((images, labels))
batches = batches.shuffle(len(labels), seed=0).batch(32, drop_remainder=True)
steps = arguments.epochs * len(batches)

tf_keras.utils.set_random_seed(0)
layers = tf_keras.layers
model = tf_keras.Sequential(
    [
        layers.Conv2D(
            32, 3, padding="same", activation="relu", input_shape=images.shape[1:]
        ),
        layers.Conv2D(64, 3, 2, padding="same", activation="relu"),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(10),
    ]
)

# From 0 to three quarters of the blocks, over the first three quarters of the steps.
schedule = tfmot_onexn.PolynomialDecay(0.0, 0.75, 0, 3 * steps // 4, frequency=20)
# Untrained filters need no rearrangement.
pruned = tfmot_onexn.prune_low_magnitude_1xN(
    model,
    n=4,
    pruning_schedule=schedule,
    pruning_policy=tfmot_onexn.PruneAll(),
    rearrange="none",
)
wrappers = [layer for layer in pruned.layers if hasattr(layer, "pruning_vars")]

# What `fit` would do with the callback.
updates = tfmot_onexn.UpdatePruningStep()
updates.set_model(pruned)
updates.on_train_begin()

optimizer = tf_keras.optimizers.Adam(2e-3)
loss_of = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@tf.function
def train_step(images, labels):
    with tf.GradientTape() as tape:
        loss = loss_of(labels, pruned(images, training=True))
    gradients = tape.gradient(loss, pruned.trainable_variables)
    optimizer.apply_gradients(zip(gradients, pruned.trainable_variables, strict=True))
    return loss


for epoch in range(arguments.epochs):
    for step, (some_images, some_labels) in enumerate(batches):
        updates.on_train_batch_begin(step)
        loss = train_step(some_images, some_labels)
        updates.on_train_batch_end(step)
    updates.on_epoch_end(epoch)
    kernels = [wrapper.pruning_vars[0][0].numpy() for wrapper in wrappers]
    zeros = np.mean(np.concatenate([kernel.ravel() for kernel in kernels]) == 0)
    print(f"epoch {epoch + 1}: loss {float(loss):.3f}, {zeros:.0%} of the weights zero")
updates.on_train_end()

final = tfmot_onexn.strip_pruning(pruned)
sparse = tfmot_onexn.convert_to_tflite(final, arguments.output)
dense = tfmot_onexn.convert_to_tflite(final, sparse=False)
right = int((final.predict(test_images, verbose=0).argmax(axis=1) == test_labels).sum())
print(
    f"{arguments.output}: {len(sparse) / 1e3:.0f} kB, dense it would be "
    f"{len(dense) / 1e3:.0f} kB; knows {right} of {len(test_labels)} test images."
)
