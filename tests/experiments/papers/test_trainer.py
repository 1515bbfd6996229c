"""One compiled step for many variants: each trains as it would alone."""

import numpy as np
import pytest

from tfmot_onexn.experiments.papers import trainer as trainer_lib
from tfmot_onexn.experiments.papers.experiment import onexn
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fine_tune
from tfmot_onexn.pruning.variants import Variant

VARIANTS = [
    Variant("dense"),
    Variant("weight", 0.75),
    onexn(4, 0.5),
    Variant("onexn", 0.5, 8, "none", uniform=True),
    Variant("filter", 0.5),
]


@pytest.fixture
def workshop(tmp_path, small_networks, quick):
    workshop = Workshop(Sources(tmp_path, "digits"))
    subject = quick.of("mobilenet")
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    return workshop


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: f"{v.method}{v.n}")
def test_a_variant_trains_as_it_would_alone(workshop, quick, variant):
    subject = quick.of("mobilenet")
    trainer = trainer_lib.tuner(workshop, subject, variant.method)
    # what another variant leaves behind must not matter
    before = Variant("filter", 0.25) if variant.method == "filter" else onexn(2, 0.9)
    trainer.train(workshop.pruned(subject, before), seed=4)
    pruned = workshop.pruned(subject, variant)
    found = trainer.train(pruned, seed=1)

    alone = variant.prune(workshop.prepared(subject, variant))
    dataset = workshop.dataset_for(subject, alone)
    recipe = Recipe(
        epochs=subject.tuning_epochs,
        batch_size=subject.batch_size,
        learning_rate=subject.tuning_rate,
        seed=1,
    )
    fine_tune(alone, dataset, recipe)
    for expected, actual in zip(
        alone.trainable_weights, trainer.model.trainable_weights, strict=True
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-5, err_msg=expected.name)
    _, top1 = alone.evaluate(dataset.test_batches(), verbose=0)
    assert found.top1 == pytest.approx(top1)
    assert 0 <= found.top1_masked <= 1


def test_variants_of_one_graph_share_a_trainer(workshop, quick):
    subject = quick.of("mobilenet")
    dense, weight, onexn_, filters = (
        trainer_lib.tuner(workshop, subject, name)
        for name in ("dense", "weight", "onexn", "filter")
    )
    assert dense is weight is onexn_
    assert filters is not dense
