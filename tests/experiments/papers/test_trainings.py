"""Jobs that train, from the dense network to a variant's accuracy."""

import numpy as np
import pytest

from tfmot_onexn.experiments.papers.experiment import onexn
from tfmot_onexn.experiments.papers.jobs import Store
from tfmot_onexn.experiments.papers.trainings import (
    Dense,
    FromScratch,
    Tuned,
    kept_and_pruned,
)
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop
from tfmot_onexn.pruning.variants import Soft, Variant


@pytest.fixture
def workshop(tmp_path, small_networks):
    return Workshop(Sources(tmp_path, "digits"))


def test_a_dense_network_is_trained_kept_and_tested(workshop, quick):
    subject = quick.of("mobilenet")
    store = Store(workshop.sources.folder)
    found = store.do(Dense(subject), workshop)
    assert (found["train_images"], found["test_images"]) == (256, 64)
    assert found["dense"] == workshop.checksum(subject)
    assert found["parameters"] == workshop.dense(subject).count_params()
    tuned = store.do(Tuned(subject, onexn(4), 0), workshop)
    assert tuned["dense"] == found["dense"]
    assert tuned["sparsity"] == 0.5
    assert store.find(Tuned(subject, onexn(4), 0)) == tuned


def test_seeds_differ_in_the_order_of_images(workshop, quick):
    subject = quick.of("mobilenet")
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    variant = Variant("weight")
    losses = [
        Tuned(subject, variant, seed).work(workshop)["loss"] for seed in (0, 0, 1)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0] != pytest.approx(losses[2], rel=1e-4)


def test_a_network_is_pruned_while_it_trains_from_scratch(workshop, quick):
    subject = quick.of("mobilenet")
    job = FromScratch(subject, Variant("subp", 0.5, 4, soft=Soft(seed=3)), 3)
    found = job.work(workshop)
    assert found["sparsity"] == 0.5
    assert 0 < found["top1"] < 1
    assert job.label() == "mobilenet subp p0.5 n4 seed3"


def test_labels_tell_jobs_apart(quick):
    subject = quick.of("mobilenet")
    variants = [
        Variant("dense"),
        Variant("weight"),
        Variant("weight", 0.9),
        onexn(4),
        onexn(8),
        onexn(4, rearrange="none"),
        Variant("onexn", uniform=True),
    ]
    jobs = [Tuned(subject, v, seed) for v in variants for seed in (0, 1)]
    assert len({job.label() for job in jobs}) == len(jobs)
    assert jobs[6].label() == "mobilenet onexn p0.5 n4 swaps seed0"


def test_what_is_kept_and_masked_is_told(workshop, quick):
    subject = quick.of("mobilenet")
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    variant = Variant("weight", 0.75)
    dense = workshop.prepared(subject, variant)
    kept, sparsity = kept_and_pruned(dense, workshop.pruned(subject, variant))
    kernels = [np.abs(dense.get_layer(f"pw{i}").get_weights()[0]) for i in (0, 1)]
    expected = sum(np.sort(k.ravel())[-k.size // 4 :].sum() for k in kernels)
    assert kept == pytest.approx(expected / sum(k.sum() for k in kernels), rel=1e-5)
    assert sparsity == 0.75
    assert kept_and_pruned(dense, dense) == (1.0, 0.0)
