import numpy as np
import pytest
from calibration import separable

from tfmot_onexn.pruning.calibration import settings
from tfmot_onexn.pruning.calibration.settings import Calibration

IMAGES = np.zeros((6, 8, 8, 3), np.float32)


def test_an_array_of_images_has_the_usual_settings():
    found = settings.of(IMAGES)
    assert (found.count, found.resolve, found.second_order) == (512, "all", True)
    assert settings.of(found) is found


def test_a_seed_chooses_images_in_their_order():
    images = IMAGES + np.arange(6, dtype=np.float32)[:, None, None, None]
    chosen = [
        Calibration(images, count=4, seed=seed).chosen_images(separable())[:, 0, 0, 0]
        for seed in range(5)
    ]
    assert all(len(one) == 4 and (np.diff(one) > 0).all() for one in chosen)
    assert len({tuple(one) for one in chosen}) > 1
    assert len(Calibration(images).chosen_images(separable())) == 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": [1, 2]}, r"are an array \[count, .* found list"),
        ({"images": IMAGES[:0]}, r"found \(0, 8, 8, 3\)"),
        ({"count": 0}, "count of at least 1, found 0"),
        ({"pixels": 0}, "pixels of at least 1, found 0"),
        ({"batch_size": -1}, "batch_size of at least 1, found -1"),
        ({"ridge": 0}, "a ridge above 0"),
        ({"relu_steps": -1}, "relu_steps of at least 0"),
        ({"resolve": "some"}, r"resolve='some'; choose one of \['all'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Calibration(**{"images": IMAGES, **arguments})


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES[:, :4], r"takes \[\(None, 8, 8, 3\)\], the images .* \[6, 4, 8, 3\]"),
        (IMAGES[..., 0], r"\[6, 8, 8\]\. Bring them to its input's shape"),
        (IMAGES + np.nan, "must be finite"),
    ],
)
def test_images_that_do_not_fit_the_model_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        Calibration(images).chosen_images(separable())
