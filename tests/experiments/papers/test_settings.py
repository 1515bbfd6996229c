"""Settings, and what a result depends on."""

import dataclasses

from tfmot_onexn.experiments.papers import settings
from tfmot_onexn.networks import models


def test_every_network_is_one_that_can_be_built():
    for setting in settings.SETTINGS.values():
        assert set(setting.networks) <= set(models.NETWORKS)


def test_a_subject_has_the_width_and_weights_of_its_network():
    setting = dataclasses.replace(
        settings.QUICK,
        alphas=(("mobilenet", 0.75), ("mobilenet_v2", 1.0)),
        given=(("mobilenet", "a_file"),),
    )
    first, second = setting.of("mobilenet"), setting.of("mobilenet_v2")
    assert (first.label, first.weights) == ("mobilenet 0.75", "a_file")
    assert (second.label, second.weights) == ("mobilenet_v2 1", "random")
    assert first.tuning_epochs == setting.tuning_epochs


def test_results_do_not_depend_on_other_widths_or_on_what_is_varied():
    one = settings.QUICK
    other = dataclasses.replace(
        one, sizes=(2,), sparsities=(0.1,), alphas=one.alphas[:2]
    )
    assert one.of("mobilenet") == other.of("mobilenet")


def test_the_description_names_what_readers_ask_for():
    small = settings.SMALL
    text = small.describe_tuning("mobilenet", "mobilenet_v2")
    label = small.of("mobilenet_v2").label
    for part in ("of cifar10, 32×32", f"{label} trained for", "batches of"):
        assert part in text
    assert "v3" not in text
    assert "imagenet weights" in settings.PAPERS.describe("mobilenet")


def test_given_weights_are_named_and_the_others_trained():
    setting = dataclasses.replace(
        settings.QUICK, given=(("mobilenet_v2", "a_file"),), stem_stride=1
    )
    text = setting.describe("mobilenet_v2", "mobilenet")
    assert (
        "mobilenet_v2 0.35 with the weights of a_file; mobilenet 0.25 trained" in text
    )
    assert "stem stride 1" in text
    assert "trained" not in setting.describe("mobilenet_v2")
