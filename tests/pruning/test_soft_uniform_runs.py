"""Soft uniform pruning that stops and goes on, in half precision, on two devices."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, small_network
from training import assert_same_weights, masks_of, tiny_network, wrappers

from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning import policy, prune, schedule, soft_uniform
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.fine_tune import fine_tune

RAMP = schedule.SoftUniformRamp(0.5, 1, 7, frequency=2, ramp="linear")


def soft(model=None, ramp=RAMP, **settings):
    return soft_uniform.prune_soft_uniform_1xN(
        model or tiny_network(), 4, ramp, policy.PruneAll(), **settings
    )


def compiled(model):
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.SGD(0.05), loss)
    return model


def fit(model):
    """Four steps."""
    x, y = batch(model, 32)
    model.fit(x, y, 8, verbose=0, shuffle=False, callbacks=[UpdatePruningStep()])


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "saved_model"])
def test_masks_come_back_from_a_file_and_grow_on_alike(tmp_path, name):
    model = compiled(soft(seed=5, temperature=0.3))
    fit(model)
    model.save(tmp_path / name)
    loaded = tf_keras.models.load_model(tmp_path / name)
    assert_same_weights(model, loaded)
    np.testing.assert_allclose(
        sorted(float(loss) for loss in loaded.losses),
        sorted(float(loss) for loss in model.losses),
        rtol=1e-6,
    )
    halfway = masks_of(model)
    for each in (model, loaded):
        fit(each)
    assert_same_weights(model, loaded, atol=1e-6)
    assert {int(wrapper.pruning_step) for wrapper in wrappers(loaded)} == {8}
    assert any(
        (one != other).any()
        for one, other in zip(halfway, masks_of(loaded), strict=True)
    )


def test_a_stripped_model_in_a_file_is_bare(tmp_path):
    model = compiled(soft())
    fit(model)
    fit(model)
    prune.strip_pruning(model).save(tmp_path / "bare.keras")
    bare = tf_keras.models.load_model(tmp_path / "bare.keras")
    assert not wrappers(bare)
    for name in ("stem", "point", "end"):
        assert (bare.get_layer(name).kernel.numpy() == 0).mean() == 0.5


class Interrupted(tf_keras.callbacks.Callback):
    """Breaks off in the third epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 2:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path):
    rng = np.random.default_rng(0)
    images = ArrayImages(rng.normal(size=(64, 8, 8, 3)).astype(np.float32))
    labels = rng.integers(0, 4, 64)
    dataset = Dataset("noise", images, labels, images, labels, 4, preprocessing="none")
    recipe = Recipe(epochs=4, batch_size=16, augmentation="none")

    def fresh():
        tf_keras.utils.set_random_seed(2)
        network = small_network()
        outputs = tf_keras.layers.Softmax()(network.output)
        classifier = tf_keras.Model(network.input, outputs)
        return soft(classifier, schedule.SoftUniformRamp.from_epochs(0.5, 0, 3, 4))

    whole = fresh()
    fine_tune(whole, dataset, recipe)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(
            fresh(),
            dataset,
            recipe,
            checkpoints=tmp_path / "kept",
            callbacks=[Interrupted()],
        )
    resumed = fresh()
    fine_tune(resumed, dataset, recipe, checkpoints=tmp_path / "kept")
    assert_same_weights(whole, resumed, atol=1e-6)
    assert [mask.mean() for mask in masks_of(resumed)][1:] == [0.5] * 4


def test_the_decay_is_the_same_whatever_the_loss_is_scaled_by():
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = soft(ramp=schedule.OneShot(0.5), decay=0.5)
    finally:
        tf_keras.mixed_precision.set_global_policy(None)
    optimizer = tf_keras.optimizers.SGD(0.125)
    model.compile(
        tf_keras.mixed_precision.LossScaleOptimizer(optimizer),
        tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    before = [wrapper.layer.kernel.numpy() for wrapper in wrappers(model)]
    x, y = batch(model, 8)
    # without an image there is no gradient but the decay's in the first layer
    model.fit(0 * x, y, 8, verbose=0)
    mask, kernel = masks_of(model)[0], before[0]
    found = wrappers(model)[0].layer.kernel
    assert found.dtype == tf.float32
    expected = np.where(mask, kernel, (1 - 0.125 * 0.5) * kernel)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one])
import contextlib
import tensorflow_model_optimization as tfmot
import tf_keras
import tfmot_onexn
from graphs import batch, small_network
from training import masks_of, wrappers

ramp = tfmot_onexn.SoftUniformRamp(0.5, 1, 7, frequency=2, ramp="linear")

def train(scope, callback):
    with scope:
        tf_keras.utils.set_random_seed(2)
        dense = tf_keras.Sequential(
            [
                tf_keras.layers.Conv2D(8, 3, input_shape=(5, 5, 4), name="stem"),
                tf_keras.layers.GlobalAveragePooling2D(),
                tf_keras.layers.Dense(4, name="end"),
            ]
        )
        model = tfmot_onexn.prune_soft_uniform_1xN(
            dense, 4, ramp, tfmot_onexn.PruneAll(), decay=0.5
        )
        loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(tf_keras.optimizers.SGD(0.1), loss)
    x, y = batch(model, 32)
    model.fit(x, y, 8, 2, verbose=0, shuffle=False, callbacks=[callback()])
    return model

def mirrored():
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()

ours, theirs = tfmot_onexn.UpdatePruningStep, tfmot.sparsity.keras.UpdatePruningStep
alone = train(contextlib.nullcontext(), ours)
for callback in (ours, theirs):
    together = train(mirrored(), callback)
    for one, other in zip(alone.weights, together.weights, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5, err_msg=one.name)
    for wrapper in wrappers(together):
        for _, mask, _ in wrapper.pruning_vars:
            first, second = mask.values
            np.testing.assert_array_equal(first, second)
            assert first.numpy().mean() == 0.5
"""


def test_masks_and_decay_on_mirrored_devices_are_those_of_one():
    tests = str(pathlib.Path(__file__).parents[1])
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=tests)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
