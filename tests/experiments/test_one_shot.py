import json

import numpy as np
import pytest
from calibration import photographs, random, separable

from tfmot_onexn.experiments import one_shot
from tfmot_onexn.experiments.one_shot import Case, Settings
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


def test_all_that_is_asked_for_is_measured_once():
    cases = Settings().cases()
    assert len(cases) == len(set(cases)) == 2 * (9 + 2 * 18)
    assert {case.baseline for case in cases} <= set(cases)
    for case in cases:
        assert cases.index(case.baseline) <= cases.index(case) or (
            case.treatment == "mask"
        )


def test_rows_tell_what_was_pruned_and_what_it_came_to(model, dataset):
    told = []
    settings = Settings(
        sizes=(4,),
        rearrangements=("none",),
        allocations=("per_layer", "macs"),
        seeds=(0,),
        count=24,
    )
    found = one_shot.rows(model, photographs(), dataset, settings, told.append)
    json.dumps(found)
    assert len(found) == len(told) == 7
    dense, base, *others = found
    assert (dense["treatment"], dense["top1"], dense["images"]) == ("dense", 0.9, 60)
    assert (base["treatment"], base["recovery"]) == ("batch_norm", 0)
    for row in others:
        lost = dense["top1"] - base["top1"]
        expected = (row["top1"] - base["top1"]) / lost
        assert row["recovery"] == pytest.approx(expected)
        kind = "macs_removed" if row["allocation"] == "macs" else "parameters_removed"
        assert row[kind] == pytest.approx(0.5, abs=0.03)
        assert row["network_macs_removed"] < row["macs_removed"]
        assert row["top1"] <= row["top5"] == 1


def test_masks_alone_do_not_go_by_the_images(model, dataset):
    ways = ("mask", "batch_norm", "resolved")
    first, second = (
        [
            one_shot.measure(Case(4, 0.5, "none", way), model, images, dataset)
            for way in ways
        ]
        for images in (photographs(8), 3 * photographs(8, seed=1))
    )
    assert first[0].top1 == second[0].top1
    assert first[0].parameters_removed == pytest.approx(0.5)
