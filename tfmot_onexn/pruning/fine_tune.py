"""Fine-tunes a pruned model, and goes on where it was interrupted."""

import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from tfmot_onexn.networks import files
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning import agreement, distribution
from tfmot_onexn.pruning.callbacks import UpdatePruningStep

_SETTINGS = "settings.json"


def fine_tune(
    model: tf_keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    *,
    checkpoints: str | os.PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> None:
    """Trains a model in place by a recipe.

    With ``checkpoints`` the state is kept after each epoch; called again with the same
    model and settings, training goes on after the last whole epoch and ends as if it
    had never stopped.

    A model that was built in the scope of a `tf.distribute` strategy is trained by it,
    with the same learning rate and batches, which its replicas share; see
    `pruning.distribution`. All workers call this, and the chief keeps the state.

    Args:
      model: a classifier, wrapped or not. It is compiled here.
      dataset: its training images are used.
      recipe: see `networks.recipe`.
      checkpoints: folder for the state, made if missing.
      settings: what the model depends on, as plain values. A folder that belongs to
        other settings is refused.
      callbacks: further ones for ``fit``.
      verbose: as for ``fit``.

    Raises:
      ValueError: if the classes differ, the checkpoints belong to other settings,
        an image cannot be read, or replicas do not hold the same weights or masks.
    """
    _require_same_classes(model, dataset)
    recipe = dataclasses.replace(
        recipe, augmentation=dataset.usual_augmentation(recipe.augmentation)
    )
    strategy = model.distribute_strategy
    with strategy.scope():
        recipe.compile(model, len(dataset.train_batches(recipe.batch_size)))
        model.optimizer.build(model.trainable_variables)
    used: list[tf_keras.callbacks.Callback] = [*callbacks]
    used_here = {"recipe": vars(recipe), "preprocessing": dataset.preprocessing}
    settings = {**(settings or {}), **used_here}
    first_epoch = 0
    if checkpoints is not None:
        keeper = _Checkpoints(model, pathlib.Path(checkpoints))
        first_epoch = keeper.restore(settings)
        used.append(keeper)
    begun = {"settings": settings, "first epoch": first_epoch}
    agreement.require_same(strategy, {**begun, **agreement.state(model)})
    if first_epoch < recipe.epochs:
        fit(model, dataset, recipe, first_epoch, callbacks=used, verbose=verbose)


def discard_checkpoints(checkpoints: str | os.PathLike) -> None:
    """Removes the folder that `fine_tune` kept its state in."""
    folder = pathlib.Path(checkpoints)
    # first, so that what a kill leaves of the folder is not taken for a state
    (folder / "checkpoint").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def fit(
    model: tf_keras.Model,
    dataset: Dataset,
    recipe: Recipe,
    first_epoch: int = 0,
    *,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> None:
    """Trains a model that `Recipe.compile` has compiled, as `fine_tune` does.

    Args:
      model: a classifier; the strategy that it was built in trains it.
      dataset: its training images are used.
      recipe: tells epochs, batches and seed.
      first_epoch: number of the epoch that comes next.
      callbacks: beside those that renew and compare masks.
      verbose: as for Keras' ``fit``, on the chief.

    Raises:
      ValueError: if an image cannot be read, or masks of replicas differ.
    """
    strategy = model.distribute_strategy
    batches = dataset.train_batches(
        recipe.batch_size,
        seed=recipe.seed,
        first_epoch=first_epoch,
        augmentation=recipe.augmentation,
    )
    alone = strategy.num_replicas_in_sync == 1
    with batches.plain_errors():
        model.fit(
            batches.endless() if alone else distribution.shares(batches, strategy),
            steps_per_epoch=len(batches),
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            shuffle=False,
            callbacks=[UpdatePruningStep(), agreement.SameMasks(), *callbacks],
            verbose=verbose if distribution.is_chief(strategy) else 0,
        )


def _require_same_classes(model: tf_keras.Model, dataset: Dataset) -> None:
    if model.output_shape[-1] != dataset.classes:
        raise ValueError(
            f"Model {model.name!r} tells {model.output_shape[-1]} classes apart, the "
            f"data {dataset.name!r} has {dataset.classes}. Build the model with "
            f"classes={dataset.classes}."
        )


class _Checkpoints(tf_keras.callbacks.Callback):
    """Keeps weights, masks, steps and optimizer state after each epoch."""

    def __init__(self, model: tf_keras.Model, folder: pathlib.Path):
        super().__init__()
        self._folder = folder
        self._strategy = model.distribute_strategy
        self._epochs = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(
                model=model, optimizer=model.optimizer, epochs=self._epochs
            ),
            str(folder),
            max_to_keep=1,
        )

    def restore(self, settings: Mapping[str, Any]) -> int:
        """Loads the last state; returns how many epochs it has seen."""
        wanted = json.loads(json.dumps(settings))
        path = self._folder / _SETTINGS
        if path.exists():
            found = json.loads(path.read_text())
            if found != wanted:
                differing = sorted(
                    key
                    for key in {*found, *wanted}
                    if found.get(key) != wanted.get(key)
                )
                raise ValueError(
                    f"The checkpoints in {self._folder} are of a run with other "
                    f"settings ({', '.join(differing)}). Repeat that run's settings, "
                    "or delete the folder to start anew."
                )
        elif distribution.is_chief(self._strategy):
            self._folder.mkdir(parents=True, exist_ok=True)
            files.write(path, json.dumps(wanted, indent=1))
        if self._manager.latest_checkpoint:
            status = self._manager.checkpoint.restore(self._manager.latest_checkpoint)
            status.assert_existing_objects_matched()
        return int(self._epochs)

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        self._epochs.assign(epoch + 1)
        if distribution.is_chief(self._strategy):
            self._manager.save()
            return
        # what is saved are averages over all replicas, so every worker takes part
        with tempfile.TemporaryDirectory() as unused:
            self._manager.checkpoint.save(os.path.join(unused, "state"))
