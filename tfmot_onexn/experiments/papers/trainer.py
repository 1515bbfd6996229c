"""Trains many variants of a network by one compiled step.

Masks are variables, so networks that differ in masks and weights alone share a graph:
dense, weight-pruned and block-pruned ones one, filter-pruned ones another, as their
BatchNormalization is masked too. Tracing a network takes longer than an epoch of small
images.
"""

import dataclasses

import tensorflow as tf
import tf_keras

from tfmot_onexn.experiments.papers.settings import Subject
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.graph import surgery, tracing
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fit
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.pruning.variants import Variant

# which variants a graph serves, and the one that it is made by
_GRAPHS = {
    "dense": Variant("weight"),
    "weight": Variant("weight"),
    "onexn": Variant("weight"),
    "filter": Variant("filter"),
}


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Shares of test images recognized, in [0, 1].

    Attributes:
      top1: after training.
      top1_masked: before it, right after the masks were set.
      loss: cross-entropy after training.
    """

    top1: float
    top1_masked: float
    loss: float


class Trainer:
    """A wrapped network that takes the weights and masks of one variant after another.

    Args:
      model: with the wrappers of the variants to come; it is changed. The strategy
        that it was built in trains it.
      bare: a copy without wrappers, on this device alone, by which it is tested.
      dataset: images, preprocessed as the model expects.
      recipe: of all trainings; their seeds differ.
    """

    def __init__(
        self,
        model: tf_keras.Model,
        bare: tf_keras.Model,
        dataset: Dataset,
        recipe: Recipe,
    ):
        self.model = model
        self._bare = bare
        self._dataset = dataset
        self._recipe = recipe
        with model.distribute_strategy.scope():
            recipe.compile(model, len(dataset.train_batches(recipe.batch_size)))
            model.optimizer.build(model.trainable_variables)
        bare.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])

    def train(self, pruned: tf_keras.Model, seed: int) -> Accuracy:
        """Trains a copy of a pruned network.

        Args:
          pruned: with masks that stand, or bare; it is not changed.
          seed: of the order of images and their augmentation.
        """
        self._take(pruned)
        _, masked = self._evaluate()
        for variable in self.model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        recipe = dataclasses.replace(self._recipe, seed=seed)
        fit(self.model, self._dataset, recipe)
        loss, top1 = self._evaluate()
        return Accuracy(top1, masked, loss)

    def _take(self, pruned: tf_keras.Model) -> None:
        """Takes over weights and masks."""
        sources = {
            tracing.unwrapped(layer).name: layer
            for layer in surgery.leaf_layers(pruned)
        }
        for layer in surgery.leaf_layers(self.model):
            own = tracing.unwrapped(layer)
            source = sources[own.name]
            for variable, value in zip(
                own.weights, tracing.unwrapped(source).weights, strict=True
            ):
                variable.assign(value)
            if isinstance(layer, MaskingWrapper):
                masks = [mask for _, mask, _ in getattr(source, "pruning_vars", [])]
                for index, (_, mask, _) in enumerate(layer.pruning_vars):
                    mask.assign(masks[index] if masks else tf.ones_like(mask))

    def _evaluate(self) -> tuple[float, float]:
        """Returns cross-entropy and top-1 on the test images."""
        for layer in surgery.leaf_layers(self.model):
            masks = {id(w): mask for w, mask, _ in getattr(layer, "pruning_vars", [])}
            own = tracing.unwrapped(layer)
            tested = self._bare.get_layer(own.name)
            for variable, weight in zip(tested.weights, own.weights, strict=True):
                value, mask = weight.read_value(), masks.get(id(weight))
                variable.assign(value if mask is None else value * mask.read_value())
        batches = self._dataset.test_batches(2 * self._recipe.batch_size)
        with batches.plain_errors():
            loss, top1 = self._bare.evaluate(batches.once(), verbose=0)
        return loss, top1


def tuner(workshop: Workshop, subject: Subject, method: str) -> Trainer:
    """Returns what fine-tunes variants of a method, made on first use."""
    graph = _GRAPHS[method]
    key = (subject, graph.method)
    if key not in workshop.trainers:
        dense = workshop.dense(subject)
        with workshop.strategy.scope():
            model = graph.prune(graph.prepare(dense))
        workshop.trainers[key] = Trainer(
            model,
            surgery.copy_model(dense),
            workshop.dataset_for(subject, dense),
            Recipe(
                epochs=subject.tuning_epochs,
                batch_size=subject.batch_size,
                learning_rate=subject.tuning_rate,
            ),
        )
    return workshop.trainers[key]
