"""Jobs that train: dense networks, and the variants that start from them."""

import dataclasses
from typing import ClassVar

import numpy as np
import tf_keras

from tfmot_onexn.experiments.papers.jobs import Job, Result
from tfmot_onexn.experiments.papers.settings import Subject
from tfmot_onexn.experiments.papers.trainer import tuner
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.graph import surgery
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fine_tune
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.pruning.variants import Variant


@dataclasses.dataclass(frozen=True)
class Dense(Job):
    """Trains, or loads, the dense network that variants start from, and tests it."""

    phase: ClassVar[int] = 0

    subject: Subject

    def label(self) -> str:
        return f"{self.subject.network} dense"

    def work(self, workshop: Workshop) -> Result:
        if workshop.trains_dense(self.subject):
            with workshop.strategy.scope():
                model = workshop.untrained(self.subject, seed=0)
            recipe = Recipe(
                epochs=self.subject.dense_epochs,
                batch_size=self.subject.batch_size,
                learning_rate=self.subject.dense_rate,
            )
            fine_tune(model, workshop.dataset_for(self.subject, model), recipe)
            workshop.keep_dense(self.subject, model)
        model = workshop.dense(self.subject)
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        dataset = workshop.dataset_for(self.subject, model)
        batches = dataset.test_batches()
        with batches.plain_errors():
            loss, top1 = model.evaluate(batches.once(), verbose=0)
        return {
            "top1": top1,
            "loss": loss,
            "dense": workshop.checksum(self.subject),
            "parameters": model.count_params(),
            "train_images": len(dataset.train_labels),
            "test_images": len(dataset.test_labels),
        }


@dataclasses.dataclass(frozen=True)
class Tuned(Job):
    """Prunes the dense network as a variant, fine-tunes and tests it.

    Attributes:
      seed: of the order of images and their augmentation.
      calibration: how many images without labels choose its blocks and solve its
        weights before; 0 for none.
    """

    subject: Subject
    variant: Variant
    seed: int
    calibration: int = 0

    def label(self) -> str:
        variant = self.variant
        parts = [self.subject.network, variant.method]
        if variant.method != "dense":
            parts.append(f"p{variant.sparsity:g}")
        if variant.method == "onexn":
            parts += [f"n{variant.n}", variant.rearrange]
            parts += ["uniform"] if variant.uniform else []
            parts += ["calibrated"] if self.calibration else []
        return " ".join([*parts, f"seed{self.seed}"])

    def work(self, workshop: Workshop) -> Result:
        trainer = tuner(workshop, self.subject, self.variant.method)
        what = (self.subject, self.variant, self.calibration)
        pruned, prepared = workshop.pruned(*what), workshop.prepared(*what)
        kept, sparsity = kept_and_pruned(prepared, pruned)
        return {
            **dataclasses.asdict(trainer.train(pruned, self.seed)),
            "kept": kept,
            "sparsity": sparsity,
            "dense": workshop.checksum(self.subject),
        }


@dataclasses.dataclass(frozen=True)
class FromScratch(Job):
    """Trains a network from random weights and prunes it meanwhile (SUBP).

    It takes as many epochs as the dense network and its fine-tuning together.

    Attributes:
      variant: with the method "subp".
      seed: of the first weights, the order of images and their augmentation.
    """

    subject: Subject
    variant: Variant
    seed: int

    def label(self) -> str:
        variant = self.variant
        settings = f"p{variant.sparsity:g} n{variant.n} seed{self.seed}"
        return f"{self.subject.network} {variant.method} {settings}"

    def work(self, workshop: Workshop) -> Result:
        recipe = Recipe(
            epochs=self.subject.dense_epochs + self.subject.tuning_epochs,
            batch_size=self.subject.batch_size,
            learning_rate=self.subject.dense_rate,
            seed=self.seed,
        )
        model = workshop.untrained(self.subject, self.seed)
        dataset = workshop.dataset_for(self.subject, model)
        steps = len(dataset.train_batches(recipe.batch_size))
        when = self.variant.schedule(recipe.epochs, steps)
        with workshop.strategy.scope():
            pruned = self.variant.prune(model, when)
        fine_tune(pruned, dataset, recipe)
        _, sparsity = kept_and_pruned(model, pruned)
        final = self.variant.finish(pruned)
        final.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        batches = dataset.test_batches()
        with batches.plain_errors():
            loss, top1 = final.evaluate(batches.once(), verbose=0)
        return {"top1": top1, "loss": loss, "sparsity": sparsity}


def kept_and_pruned(
    dense: tf_keras.Model, pruned: tf_keras.Model
) -> tuple[float, float]:
    """Returns what masks leave of the kernels that are pruned.

    Args:
      dense: with its filters in the order of the pruned model.
      pruned: with masks that stand.

    Returns:
      The share of the kernels' l1 norm that is kept, and the share of their weights
      that is masked; 1 and 0 if nothing is pruned.
    """
    kept = norm = masked = count = 0.0
    for wrapper in surgery.leaf_layers(pruned):
        if isinstance(wrapper, MaskingWrapper) and hasattr(wrapper.layer, "kernel"):
            layer = dense.get_layer(wrapper.layer.name)
            kernel = np.abs(layer.get_weights()[0])
            mask = wrapper.pruning_vars[0][1].numpy() > 0
            kept += float(kernel[mask].sum())
            norm += float(kernel.sum())
            masked += float(mask.size - mask.sum())
            count += mask.size
    return (kept / norm, masked / count) if count else (1.0, 0.0)
