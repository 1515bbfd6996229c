"""What jobs share: images, dense networks, prepared ones."""

import dataclasses

import numpy as np
import pytest
from paper_results import tiny_mobilenet

from tfmot_onexn.experiments.papers.experiment import onexn
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop
from tfmot_onexn.pruning import prune


@pytest.fixture
def workshop(tmp_path, small_networks):
    return Workshop(Sources(tmp_path, "digits"))


def test_some_images_are_always_the_same_ones(workshop, quick, tmp_path):
    subject = quick.of("mobilenet")
    first = workshop.dataset(subject)
    second = Workshop(Sources(tmp_path, "digits")).dataset(subject)
    assert len(first.train_labels) == 256
    assert len(first.test_labels) == 64
    np.testing.assert_array_equal(first.train_labels, second.train_labels)
    np.testing.assert_array_equal(
        first.train_images.take(range(5)), second.train_images.take(range(5))
    )
    assert workshop.dataset(subject) is first


def test_large_images_are_decoded_when_they_are_taken(workshop, quick):
    large = dataclasses.replace(quick.of("mobilenet"), image_size=96)
    small = dataclasses.replace(large, image_size=32)
    of_large, of_small = workshop.dataset(large), workshop.dataset(small)
    assert of_large.train_images.shape == (256, 96, 96, 3)
    np.testing.assert_array_equal(
        of_large.train_images.take([3, 7])[:, ::3, ::3],
        of_small.train_images.take([3, 7]),
    )
    np.testing.assert_array_equal(of_large.train_labels, of_small.train_labels)


def test_untrained_networks_depend_on_the_seed_alone(workshop, quick):
    subject = quick.of("mobilenet")
    one, same, other = (workshop.untrained(subject, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weights[0], same.weights[0])
    assert (one.weights[0].numpy() != other.weights[0].numpy()).any()


def test_the_stem_may_keep_the_size_of_images(workshop, quick):
    subject = dataclasses.replace(quick.of("mobilenet"), stem_stride=1)
    model = workshop.untrained(subject, 0)
    assert model.get_layer("stem").strides == (1, 1)
    usual = workshop.untrained(quick.of("mobilenet"), 0)
    assert usual.get_layer("stem").strides == (2, 2)


def test_a_dense_network_that_was_not_trained_is_named(workshop, quick):
    with pytest.raises(ValueError, match=r"No dense mobilenet at .*begin anew"):
        workshop.dense(quick.of("mobilenet"))


def test_dense_networks_are_kept_on_disk(workshop, quick, tmp_path):
    subject = quick.of("mobilenet")
    model = workshop.untrained(subject, 5)
    workshop.keep_dense(subject, model)
    again = Workshop(Sources(tmp_path, "digits"))
    for kept, loaded in zip(
        model.get_weights(), again.dense(subject).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(kept, loaded)
    assert again.checksum(subject) == workshop.checksum(subject)
    other = dataclasses.replace(subject, dense_epochs=9)
    workshop.keep_dense(other, workshop.untrained(other, 6))
    assert workshop.checksum(other) != workshop.checksum(subject)


def test_filters_are_rearranged_once_for_all_seeds(workshop, quick):
    subject = quick.of("mobilenet")
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    prepared = workshop.prepared(subject, onexn(4))
    assert workshop.prepared(subject, onexn(4)) is prepared
    dense = workshop.dense(subject)
    first, moved = (each.get_layer("pw0").kernel.numpy() for each in (dense, prepared))
    assert (first != moved).any()
    np.testing.assert_array_equal(np.sort(first, axis=-1), np.sort(moved, axis=-1))
    assert workshop.prepared(subject, onexn(4, rearrange="none")) is dense


def test_images_may_choose_blocks_and_weights(workshop, quick):
    subject = quick.of("mobilenet")
    workshop.keep_dense(subject, workshop.untrained(subject, 0))
    plain, solved = (workshop.pruned(subject, onexn(4), count) for count in (0, 64))
    assert workshop.pruned(subject, onexn(4), 64) is solved
    dense = workshop.prepared(subject, onexn(4), 64)
    kept = [unpruned(model, "pw1") for model in (plain, solved)]
    assert (kept[0] == 0).mean() == (kept[1] == 0).mean() == 0.5
    there = kept[1] != 0
    # masks leave weights as they are, solving moves them
    assert (kept[1][there] != dense.get_layer("pw1").kernel.numpy()[there]).any()


def unpruned(model, name):
    return prune.strip_pruning(model).get_layer(name).kernel.numpy()


def test_weights_may_be_given(workshop, quick, tmp_path):
    given = tmp_path / "given.weights.h5"
    subject = dataclasses.replace(quick.of("mobilenet"), weights="given")
    wide = tiny_mobilenet((subject.image_size, subject.image_size, 3), 1000)
    wide.save_weights(given)
    found = Workshop(Sources(tmp_path, "digits", (("mobilenet", str(given)),)))
    assert not found.trains_dense(subject)
    np.testing.assert_array_equal(found.dense(subject).weights[0], wide.weights[0])
