"""Trains small pruned networks by a strategy and notes what each replica holds.

``python -m replicas STRATEGY FOLDER`` writes an `.npz` per process. Tests compare
it with what `trained` returns in a process of one device.
"""

import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning import agreement, distribution
from tfmot_onexn.pruning.fine_tune import fine_tune

# the last of seven batches has one image, too few for two replicas
IMAGES, STEPS = 61, 7
RECIPE = Recipe(epochs=3, batch_size=10, warmup_epochs=0.5, augmentation="crop_flip")
SCHEDULE = tfmot_onexn.PolynomialDecay(0.0, 0.75, 1, 16, frequency=3)
WRAP = {
    "blocks": lambda model: tfmot_onexn.prune_low_magnitude_1xN(
        model, 4, SCHEDULE, rearrange="l1", uniform=True
    ),
    "filters": lambda model: tfmot_onexn.prune_filters(model, SCHEDULE),
    "soft": lambda model: tfmot_onexn.prune_soft_uniform_1xN(
        model, 4, tfmot_onexn.SoftUniformRamp(0.75, 1, 16, frequency=3)
    ),
}


def data():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, IMAGES)
    images = rng.normal(size=(IMAGES, 8, 8, 3)).astype(np.float32)
    images[..., 0] += labels[:, None, None] - 1.5
    known = (ArrayImages(images), labels)
    return Dataset("blobs", *known, *known, 4, preprocessing="none")


def network():
    """One without BatchNormalization, whose statistics each replica has of its own."""
    tf_keras.utils.set_random_seed(3)
    return tf_keras.Sequential(
        [
            layers.Conv2D(8, 3, 2, activation="relu", input_shape=(8, 8, 3)),
            layers.Conv2D(16, 1, activation="relu", name="expand"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu"),
            layers.Conv2D(8, 1, activation="relu", name="project"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax"),
        ]
    )


def each_replica(strategy, variable):
    return [value.numpy() for value in strategy.experimental_local_results(variable)]


class Note(tf_keras.callbacks.Callback):
    """Notes the masks of each replica after each step."""

    def __init__(self):
        super().__init__()
        self.masks_tr = []

    def on_train_batch_end(self, batch, logs=None):
        strategy = self.model.distribute_strategy
        masks = agreement.masks(self.model).values()
        replicas = zip(*(each_replica(strategy, mask) for mask in masks), strict=True)
        self.masks_tr.append([flat(own) for own in replicas])


class Stop(tf_keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (1, 4):
            raise KeyboardInterrupt


def pruned(strategy, kind):
    dense = network()
    with strategy.scope():
        return WRAP[kind](dense)


def final_weights(model):
    return flat(tfmot_onexn.strip_pruning(model).get_weights())


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


def trained(strategy, folder=None):
    """Trains networks pruned in all ways; the one in blocks is interrupted.

    Args:
      strategy: to train by.
      folder: for the state of the interrupted one, or None to interrupt none.

    Returns:
      Arrays by name: masks ``[replica, step, weight]`` and final weights.
    """
    found = {}
    for kind in WRAP:
        model, note = pruned(strategy, kind), Note()
        kept = folder and kind == "blocks" and folder / "kept"
        if kept:
            try:
                fine_tune(
                    model, data(), RECIPE, checkpoints=kept, callbacks=[note, Stop()]
                )
            except KeyboardInterrupt:
                del note.masks_tr[STEPS:]
            else:
                raise AssertionError("not interrupted")
            model = pruned(strategy, kind)
        fine_tune(model, data(), RECIPE, checkpoints=kept or None, callbacks=[note])
        found[f"{kind}: masks"] = np.swapaxes(note.masks_tr, 0, 1)
        found[f"{kind}: weights"] = final_weights(model)
    return found


def complaints(strategy):
    """Returns what is said of a variable and a setting that replicas differ in."""
    chief = distribution.is_chief(strategy)
    with strategy.scope():
        variable = tf.Variable([1.0, 0.0], name="mask")
    same = {"settings": {"n": 4}, "mask": variable}
    agreement.require_same(strategy, same)
    for index, replica in enumerate(strategy.experimental_local_results(variable)):
        replica.assign([float(index + chief), 0.0])
    said = []
    for values in (same, {"settings": {"n": 4 + chief}}):
        try:
            agreement.require_same(strategy, values)
            said.append("")
        except ValueError as error:
            said.append(str(error))
    return said


def main(name, folder):
    if name == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        one = tf.config.LogicalDeviceConfiguration()
        tf.config.set_logical_device_configuration(cpu, [one, one])
    with distribution.strategy(name) as strategy:
        chief = distribution.is_chief(strategy)
        found = {"complaints": complaints(strategy), **trained(strategy, folder)}
        np.savez(folder / f"{'chief' if chief else 'other'}.npz", **found)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
