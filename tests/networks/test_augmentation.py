import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfmot_onexn.networks import augmentation
from tfmot_onexn.networks.images import ArrayImages, EncodedImages

SIZE = 16


@pytest.fixture
def pixels(rng):
    return rng.integers(1, 256, (12, SIZE, SIZE, 3), np.uint8)


def take(name, images, indices, seed=0, epoch=0):
    return augmentation.take(name, images, indices, seed=seed, epoch=epoch)


@pytest.mark.parametrize("name", ["crop_flip", "resized_crop_flip"])
def test_a_change_depends_on_seed_epoch_and_index_alone(pixels, name):
    images = ArrayImages(pixels)
    together = take(name, images, [2, 7, 4], 3, 5)
    np.testing.assert_array_equal(take(name, images, [7, 2], 3, 5), together[[1, 0]])
    many = [str(i) for i in range(len(pixels))]
    contents = []
    for image in pixels:
        contents.append(io.BytesIO())
        Image.fromarray(image).save(contents[-1], "PNG")
    for threads in (1, 3):
        encoded = EncodedImages(
            many, SIZE, contents=[c.getvalue() for c in contents], threads=threads
        )
        np.testing.assert_array_equal(take(name, encoded, [2, 7, 4], 3, 5), together)
    np.testing.assert_array_equal(images.take(range(12)), pixels)


@pytest.mark.parametrize("name", ["crop_flip", "resized_crop_flip"])
def test_changes_differ_between_seeds_epochs_and_indices(pixels, name):
    same = ArrayImages(np.stack([pixels[0]] * 40))
    first = take(name, same, range(40))
    for other in (
        take(name, same, range(40), seed=1),
        take(name, same, range(40), epoch=1),
        np.roll(first, 1, axis=0),
    ):
        assert (first == other).all((1, 2, 3)).mean() < 0.2


def test_none_changes_nothing(pixels):
    np.testing.assert_array_equal(take("none", ArrayImages(pixels), [3]), pixels[[3]])


def test_crop_flip_moves_by_an_eighth_at_most_over_black(pixels):
    image = pixels[0]
    framed = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    possible = {}
    for top in range(5):
        for left in range(5):
            part = framed[top : top + SIZE, left : left + SIZE]
            possible[part.tobytes()] = (top, left, False)
            possible[part[:, ::-1].tobytes()] = (top, left, True)
    same = ArrayImages(np.stack([image] * 600))
    found = {possible[part.tobytes()] for part in take("crop_flip", same, range(600))}
    assert len(found) == len(possible) == 50


@given(st.integers(1, 600), st.integers(1, 600), st.integers(0, 2**31))
def test_random_parts_lie_inside_and_have_area_and_ratio(width, height, seed):
    rng = np.random.default_rng(seed)
    left, top, right, bottom = augmentation.random_box(rng, width, height)
    wide, high = right - left, bottom - top
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    # sides are rounded to whole pixels
    assert (wide + 0.5) * (high + 0.5) >= 0.08 * width * height or wide == high
    assert (wide - 0.5) / (high + 0.5) <= 4 / 3
    assert (wide + 0.5) / (high - 0.5) >= 3 / 4


def test_random_parts_take_all_sizes_and_places():
    rng = np.random.default_rng(0)
    boxes = np.array([augmentation.random_box(rng, 100, 100) for _ in range(4000)])
    left, top, right, bottom = boxes.T
    area = (right - left) * (bottom - top) / 1e4
    assert area.min() < 0.1
    assert area.max() > 0.95
    # close to the middle of 0.08 and 1; the largest fit less often
    assert 0.45 < area.mean() < 0.54
    ratio = (right - left) / (bottom - top)
    assert ratio.min() < 0.78
    assert ratio.max() > 1.28
    assert abs(np.log(ratio).mean()) < 0.02
    for low, high in ((left, right), (top, bottom)):
        assert low.min() == 0
        assert high.max() == 100
        assert abs((low + high).mean() / 2 - 50) < 1


def test_images_too_long_for_a_part_show_their_middle():
    assert augmentation.random_box(np.random.default_rng(0), 100, 1) == (49, 0, 50, 1)


def test_resized_crop_flip_shows_a_part_at_full_size():
    slope = np.broadcast_to(np.arange(64, dtype=np.float32)[:, None], (64, 64))
    images = ArrayImages(np.stack([slope.T] * 200), SIZE)
    rows = take("resized_crop_flip", images, range(200))[:, 0, :, 0]
    steps = np.diff(rows, axis=1)[:, 2:-2]
    # a straight slope, rising or falling as it is mirrored, less steep than the whole
    assert (np.ptp(steps, axis=1) < 0.5).all()
    assert np.abs(steps).max() <= 64 / SIZE + 0.3
    assert np.abs(steps).mean() < 3.5
    assert 70 < (steps.mean(1) > 0).sum() < 130


def test_the_usual_augmentation_goes_by_size():
    assert augmentation.usual(32) == augmentation.usual(64) == "crop_flip"
    assert augmentation.usual(65) == augmentation.usual(224) == "resized_crop_flip"


def test_an_unknown_augmentation_is_refused(pixels):
    with pytest.raises(ValueError, match=r"'mixup'; choose one of none, crop_flip"):
        take("mixup", ArrayImages(pixels), [0])
