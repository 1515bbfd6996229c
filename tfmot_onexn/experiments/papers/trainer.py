"""Trains many variants of a network by one compiled step.

Masks are variables, so networks that differ in masks and weights alone share a graph:
dense, weight-pruned and block-pruned ones one, filter-pruned ones another, as their
BatchNormalization is masked too. Tracing a network takes longer than an epoch of small
images.
"""

import dataclasses

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.experiments.papers.settings import Subject
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.graph import surgery, tracing
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning import filters
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN
from tfmot_onexn.sparsity.masks import Pattern

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
      kept: share of the pruned kernels' l1 norm that the masks kept.
      sparsity: share of the pruned kernels' weights that are masked.
    """

    top1: float
    top1_masked: float
    loss: float
    kept: float
    sparsity: float


class Trainer:
    """A wrapped network that takes the weights and masks of one variant after another.

    Args:
      model: with the wrappers of the variants to come; it is changed.
      dataset: images, preprocessed as the model expects.
      recipe: of all trainings; their seeds differ.
    """

    def __init__(self, model: tf_keras.Model, dataset: Dataset, recipe: Recipe):
        self.model = model
        self._dataset = dataset
        self._recipe = recipe
        recipe.compile(model, len(dataset.train_batches(recipe.batch_size)))
        model.optimizer.build(model.trainable_variables)
        self._wrappers = [
            layer
            for layer in surgery.leaf_layers(model)
            if isinstance(layer, MaskingWrapper)
        ]

    def train(self, variant: Variant, prepared: tf_keras.Model, seed: int) -> Accuracy:
        """Prunes a prepared dense network as a variant and trains it.

        Args:
          variant: one that the wrappers serve.
          prepared: what `Variant.prepare` returns; it is not changed.
          seed: of the order of images and their augmentation.
        """
        self._take(variant, prepared)
        before = self._evaluate()
        kept, sparsity = self._kept(prepared)
        for variable in self.model.optimizer.variables:
            variable.assign(tf.zeros_like(variable))
        batches = self._dataset.train_batches(
            self._recipe.batch_size,
            seed=seed,
            augmentation=self._recipe.augmentation,
        )
        with batches.plain_errors():
            self.model.fit(
                batches,
                epochs=self._recipe.epochs,
                callbacks=[UpdatePruningStep()],
                verbose=0,
                shuffle=False,
            )
        after = self._evaluate()
        return Accuracy(after[1], before[1], after[0], kept, sparsity)

    def _take(self, variant: Variant, prepared: tf_keras.Model) -> None:
        """Takes over weights, and sets the masks of a variant."""
        sparsity = 0.0 if variant.method == "dense" else variant.sparsity
        for wrapper in self._wrappers:
            for _, mask, _ in wrapper.pruning_vars:
                mask.assign(tf.ones_like(mask))
            wrapper.pruning_schedule = OneShot(sparsity)
            if isinstance(wrapper, PruneLowMagnitude1xN):
                wrapper.pattern = (
                    Pattern("block", variant.n, variant.uniform)
                    if variant.method == "onexn"
                    else Pattern("weight")
                )
        for layer in surgery.leaf_layers(self.model):
            source = prepared.get_layer(tracing.unwrapped(layer).name)
            layer.set_weights(source.get_weights())
        if variant.method == "filter":
            filters.update_masks(self.model, sparsity)

    def _evaluate(self) -> tuple[float, float]:
        """Returns cross-entropy and top-1 on the test images."""
        batches = self._dataset.test_batches(2 * self._recipe.batch_size)
        with batches.plain_errors():
            loss, top1 = self.model.evaluate(batches, verbose=0)
        return loss, top1

    def _kept(self, prepared: tf_keras.Model) -> tuple[float, float]:
        """Returns which share of l1 norm the masks keep, and which of weights they
        drop.
        """
        kept = norm = masked = count = 0.0
        for wrapper in self._wrappers:
            layer = wrapper.layer
            if not hasattr(layer, "kernel"):
                continue
            kernel = np.abs(prepared.get_layer(layer.name).get_weights()[0])
            mask = wrapper.pruning_vars[0][1].numpy()
            kept += float((kernel * mask).sum())
            norm += float(kernel.sum())
            masked += float((mask == 0).sum())
            count += mask.size
        return kept / norm, masked / count


def tuner(workshop: Workshop, subject: Subject, method: str) -> Trainer:
    """Returns what fine-tunes variants of a method, made on first use."""
    graph = _GRAPHS[method]
    key = (subject, graph.method)
    if key not in workshop.trainers:
        dense = workshop.dense(subject)
        workshop.trainers[key] = Trainer(
            graph.prune(graph.prepare(dense)),
            workshop.dataset_for(subject, dense),
            Recipe(
                epochs=subject.tuning_epochs,
                batch_size=subject.batch_size,
                learning_rate=subject.tuning_rate,
            ),
        )
    return workshop.trainers[key]
