"""What experiments share: jobs of variants, and results that belong together."""

import json

import pytest

from tfmot_onexn.experiments.papers import experiment
from tfmot_onexn.experiments.papers.trainings import Dense, Tuned
from tfmot_onexn.pruning.variants import Variant


def test_the_dense_network_comes_first(quick):
    subject = quick.of("mobilenet")
    jobs = experiment.tuned(subject, [Variant("weight")], 2)
    assert jobs == [
        Dense(subject),
        Tuned(subject, Variant("weight"), 0),
        Tuned(subject, Variant("weight"), 1),
    ]


def test_accuracies_come_one_for_each_seed(quick, store):
    subject = quick.of("mobilenet")
    store.fill(experiment.tuned(subject, [Variant("dense")], 3))
    found = experiment.top1(store, subject, Variant("dense"), 3)
    assert found == pytest.approx([0.796, 0.806, 0.816])
    mean = experiment.mean_top1(store, subject, Variant("dense"), 3)
    assert mean.percent() == "80.6 ± 1.0"


def test_results_of_another_dense_network_are_refused(quick, store):
    subject = quick.of("mobilenet")
    variant = Variant("dense")
    jobs = experiment.tuned(subject, [variant], 2)
    store.fill(jobs)
    path = store.path(jobs[-1])
    content = json.loads(path.read_text())
    content["result"]["dense"] = "another"
    path.write_text(json.dumps(content))
    assert len(experiment.top1(store, subject, variant, 1)) == 1
    with pytest.raises(ValueError, match=r"seed1.* began with another dense network"):
        experiment.top1(store, subject, variant, 2)


def test_variants_have_the_names_of_the_papers():
    names = [
        experiment.name_of(variant)
        for variant in (Variant("filter"), experiment.onexn(16), Variant("dense"))
    ]
    assert names == ["filter", "1×16", "dense"]
