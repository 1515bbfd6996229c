import numpy as np
import pytest
from calibration import photographs, random, separable

from tfmot_onexn.experiments import one_shot
from tfmot_onexn.experiments.one_shot import Case
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.networks.images import ArrayImages


@pytest.fixture(scope="module")
def model():
    return random(separable)


@pytest.fixture(scope="module")
def dataset(model):
    """Images with the labels that the dense network gives them, but for a few."""
    pixels = np.clip(128 + 40 * photographs(60, seed=3), 0, 255).astype(np.uint8)
    labels = model.predict_on_batch(pixels / 127.5 - 1).argmax(axis=-1)
    labels[:6] = (labels[:6] + 1) % 4
    images = ArrayImages(pixels)
    return Dataset("own", images, labels, images, labels, 4)


def share(row):
    return row.hits.count("1") / len(row.hits)


def test_the_dense_network_recognizes_what_it_named(model, dataset):
    row = one_shot.measure_dense(model, dataset)
    assert row.hits == "0" * 6 + "1" * 54
    assert (row.top5, row.macs_removed) == (1.0, 0.0)


@pytest.mark.parametrize("allocation", ["per_layer", "parameters", "macs"])
def test_what_was_removed_is_told(model, dataset, allocation):
    case = Case(4, 0.5, "none", "resolved", allocation)
    row = one_shot.measure(case, model, photographs(), dataset, count=24)
    removed = row.macs_removed if allocation == "macs" else row.parameters_removed
    assert removed == pytest.approx(0.5, abs=0.03)
    assert row.network_macs_removed < row.macs_removed
    assert share(row) <= row.top5 == 1
    assert row.seconds > 0


def test_the_baseline_has_no_order_and_no_budget():
    case = Case(16, 0.5, "assignment", "resolved", "macs", 3)
    assert case.baseline == Case(16, 0.5, "none", "batch_norm", "per_layer", 3)


def test_masks_alone_do_not_go_by_the_images(model, dataset):
    ways = ("mask", "batch_norm", "resolved")
    first, second = (
        [
            one_shot.measure(Case(4, 0.5, "none", way), model, images, dataset)
            for way in ways
        ]
        for images in (photographs(8), 3 * photographs(8, seed=1))
    )
    assert first[0].hits == second[0].hits
    assert first[0].parameters_removed == pytest.approx(0.5)
