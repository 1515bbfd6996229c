"""Jobs that train: dense networks, and the variants that start from them."""

import dataclasses
from typing import ClassVar

from tfmot_onexn.experiments.papers.jobs import Job, Result
from tfmot_onexn.experiments.papers.settings import Subject
from tfmot_onexn.experiments.papers.trainer import tuner
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fine_tune
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
            loss, top1 = model.evaluate(batches, verbose=0)
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
    """

    subject: Subject
    variant: Variant
    seed: int

    def label(self) -> str:
        variant = self.variant
        parts = [self.subject.network, variant.method]
        if variant.method != "dense":
            parts.append(f"p{variant.sparsity:g}")
        if variant.method == "onexn":
            parts += [f"n{variant.n}", variant.rearrange]
            parts += ["uniform"] if variant.uniform else []
        return " ".join([*parts, f"seed{self.seed}"])

    def work(self, workshop: Workshop) -> Result:
        trainer = tuner(workshop, self.subject, self.variant.method)
        prepared = workshop.prepared(self.subject, self.variant)
        found = trainer.train(self.variant, prepared, self.seed)
        return {
            **dataclasses.asdict(found),
            "dense": workshop.checksum(self.subject),
        }
