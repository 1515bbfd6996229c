import dataclasses
import shutil

import numpy as np
import pytest
import tf_keras
from graphs import small_network
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages, EncodedImages
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning import fine_tune as fine_tune_lib
from tfmot_onexn.pruning import prune

RECIPE = Recipe(
    epochs=4,
    batch_size=16,
    learning_rate=0.05,
    warmup_epochs=0.5,
    augmentation="crop_flip",
)


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 96)
    images = rng.normal(size=(96, 8, 8, 3)).astype(np.float32)
    images[..., 0] += labels[:, None, None] - 1.5
    train, test = ArrayImages(images[:64]), ArrayImages(images[64:])
    return Dataset(
        "blobs", train, labels[:64], test, labels[64:], 4, preprocessing="none"
    )


def fresh():
    tf_keras.utils.set_random_seed(3)
    network = small_network()
    outputs = tf_keras.layers.Softmax()(network.output)
    model = tf_keras.Model(network.input, outputs, name="small")
    schedule = tfmot.PolynomialDecay(0.0, 0.75, 2, 13, frequency=3)
    return prune.prune_low_magnitude_1xN(model, 4, schedule)


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """A model after an uninterrupted run, and its checkpoints."""
    model, folder = fresh(), tmp_path_factory.mktemp("finished")
    fine_tune_lib.fine_tune(model, dataset, RECIPE, checkpoints=folder)
    return model, folder


class Interrupted(tf_keras.callbacks.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.at = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def test_training_learns(dataset):
    model = fresh()
    fine_tune_lib.fine_tune(model, dataset, Recipe(epochs=12, batch_size=16))
    _, accuracy = model.evaluate(dataset.test_batches(), verbose=0)
    assert accuracy > 0.6


@pytest.mark.parametrize(
    "interruptions", [[(0, 1)], [(2, 0)], [(1, 3), (2, 2), (3, 1)]]
)
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    dataset, finished, tmp_path, interruptions
):
    whole, _ = finished
    for epoch, batch in interruptions:
        with pytest.raises(KeyboardInterrupt):
            fine_tune_lib.fine_tune(
                fresh(),
                dataset,
                RECIPE,
                checkpoints=tmp_path / "kept",
                callbacks=[Interrupted(epoch, batch)],
            )
    resumed = fresh()
    fine_tune_lib.fine_tune(resumed, dataset, RECIPE, checkpoints=tmp_path / "kept")
    for expected, actual in zip(whole.weights, resumed.weights, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6, err_msg=expected.name)
    fine_tune_lib.discard_checkpoints(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_what_a_kill_leaves_of_a_discarded_folder_is_no_state(
    dataset, finished, tmp_path, monkeypatch
):
    model, folder = finished
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)

    def killed(folder, **_):
        for path in folder.glob("*.index"):
            path.unlink()

    monkeypatch.setattr(fine_tune_lib.shutil, "rmtree", killed)
    fine_tune_lib.discard_checkpoints(kept)
    again = fresh()
    fine_tune_lib.fine_tune(again, dataset, RECIPE, checkpoints=kept)
    for expected, actual in zip(model.weights, again.weights, strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-6, err_msg=expected.name)


def test_a_finished_run_is_not_repeated(dataset, finished):
    model, folder = finished
    again = fresh()
    untouched = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    fine_tune_lib.fine_tune(again, dataset, RECIPE, checkpoints=folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == untouched
    for expected, actual in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_checkpoints_of_another_run_are_refused(dataset, tmp_path):
    fine_tune_lib.fine_tune(
        fresh(), dataset, RECIPE, checkpoints=tmp_path, settings={"n": 4, "p": 0.5}
    )
    with pytest.raises(ValueError, match=r"other settings \(n\).*delete the folder"):
        fine_tune_lib.fine_tune(
            fresh(), dataset, RECIPE, checkpoints=tmp_path, settings={"n": 8, "p": 0.5}
        )
    with pytest.raises(ValueError, match=r"other settings \(n, p, recipe\)"):
        fine_tune_lib.fine_tune(
            fresh(), dataset, Recipe(epochs=9), checkpoints=tmp_path
        )
    other = dataclasses.replace(dataset, preprocessing="tf")
    with pytest.raises(ValueError, match=r"other settings \(n, p, preprocessing\)"):
        fine_tune_lib.fine_tune(fresh(), other, RECIPE, checkpoints=tmp_path)


def test_auto_stands_for_the_datasets_own_augmentation(dataset, finished):
    _, folder = finished
    moved = dataclasses.replace(dataset, augmentation="crop_flip")
    automatic = dataclasses.replace(RECIPE, augmentation="auto")
    fine_tune_lib.fine_tune(fresh(), moved, automatic, checkpoints=folder)
    with pytest.raises(ValueError, match=r"other settings \(recipe\)"):
        fine_tune_lib.fine_tune(fresh(), dataset, automatic, checkpoints=folder)


def test_an_image_that_cannot_be_read_ends_training(dataset, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    names = [str(tmp_path / "broken.jpg")] * 64
    broken = dataclasses.replace(dataset, train_images=EncodedImages(names, 8))
    with pytest.raises(ValueError, match=r"^Cannot read the image .*broken.jpg"):
        fine_tune_lib.fine_tune(fresh(), broken, RECIPE)


def test_a_model_for_other_classes_is_refused(dataset):
    model = tf_keras.Sequential(
        [tf_keras.layers.Flatten(input_shape=(8, 8, 3)), tf_keras.layers.Dense(7)],
        name="seven",
    )
    with pytest.raises(
        ValueError, match=r"'seven' tells 7 classes apart.*'blobs' has 4"
    ):
        fine_tune_lib.fine_tune(model, dataset, RECIPE)
