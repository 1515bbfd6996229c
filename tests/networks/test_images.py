import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tfmot_onexn.networks.images import ArrayImages, EncodedImages, centre_box

lengths = st.integers(1, 700)


@given(lengths, lengths, st.integers(1, 300))
def test_the_tested_part_is_a_square_in_the_middle(width, height, size):
    left, top, right, bottom = centre_box(width, height, size)
    side = right - left
    assert side == bottom - top
    assert 0 <= left <= right <= width
    assert 0 <= top <= bottom <= height
    assert abs(left + right - width) <= 2
    assert abs(top + bottom - height) <= 2
    short = min(width, height)
    assert side == short or side == max(size, short * 7 / 8)


def test_the_tested_part_is_that_of_imagenet():
    assert centre_box(256, 256, 224) == (16, 16, 240, 240)
    assert centre_box(512, 1024, 224) == (32, 288, 480, 736)
    # not scaled, not blurred
    assert centre_box(32, 32, 32) == (0, 0, 32, 32)
    assert centre_box(240, 229, 224) == (8, 2, 232, 226)
    # enlarged
    assert centre_box(20, 10, 32) == (5, 0, 15, 10)


def test_arrays_of_the_right_size_come_back_as_they_are(rng):
    pixels = rng.integers(0, 256, (5, 8, 8, 3), np.uint8)
    images = ArrayImages(pixels)
    assert images.shape == (5, 8, 8, 3)
    np.testing.assert_array_equal(images.take([3, 0, 3]), pixels[[3, 0, 3]])
    floats = ArrayImages(pixels.astype(np.float32) + 0.5)
    np.testing.assert_array_equal(floats.take([1]), pixels[[1]] + 0.5)
    assert floats.take([1]).dtype == np.float32
    assert images.take([]).shape == (0, 8, 8, 3)


def test_grey_arrays_get_three_equal_channels(rng):
    pixels = rng.integers(0, 256, (2, 8, 8), np.uint8)
    taken = ArrayImages(pixels).take([1])
    for channel in range(3):
        np.testing.assert_array_equal(taken[0, ..., channel], pixels[1])


@pytest.mark.parametrize("size", [4, 13])
def test_arrays_of_floats_are_scaled_as_those_of_bytes(rng, size):
    pixels = rng.integers(0, 256, (3, 8, 10, 3), np.uint8)
    taken = ArrayImages(pixels, size).take([2, 1])
    assert taken.shape == (2, size, size, 3)
    exact = ArrayImages(pixels.astype(np.float32), size).take([2, 1])
    np.testing.assert_allclose(taken, exact, atol=1.1)
    assert exact.std() > 20


def test_what_are_no_images_is_refused():
    with pytest.raises(ValueError, match=r"found an array of shape \(2, 3, 8, 8\)"):
        ArrayImages(np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"from 0 to 255, found int64"):
        ArrayImages(np.zeros((2, 8, 8, 3), np.int64))


def encoded(pixels, kind="PNG", mode="RGB"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def many(rng):
    """Images of various shapes, each of its own colour."""
    shapes = [(int(h), int(w), 3) for h, w in rng.integers(5, 40, (30, 2))]
    return [
        np.full(shape, 8 * index, np.uint8) + rng.integers(0, 8, shape, np.uint8)
        for index, shape in enumerate(shapes)
    ]


@pytest.mark.parametrize("threads", [1, 3, 64])
def test_order_does_not_depend_on_the_threads(many, rng, threads):
    names = [str(index) for index in range(len(many))]
    contents = [encoded(pixels) for pixels in many]
    images = EncodedImages(names, 10, contents=contents, threads=threads)
    indices = rng.integers(0, len(many), 50)
    taken = images.take(indices)
    assert taken.dtype == np.uint8
    np.testing.assert_array_equal(taken.mean((1, 2, 3)) // 8, indices)


def test_paths_are_decoded_as_bytes_are(many, tmp_path):
    paths, contents = [], []
    for index, pixels in enumerate(many[:4]):
        contents.append(encoded(pixels, "JPEG"))
        paths.append(str(tmp_path / f"{index}.jpg"))
        (tmp_path / f"{index}.jpg").write_bytes(contents[-1])
    from_paths = EncodedImages(paths, 12).take([3, 1])
    from_bytes = EncodedImages(paths, 12, contents=contents).take([3, 1])
    np.testing.assert_array_equal(from_paths, from_bytes)


def test_the_middle_is_shown_unless_another_part_is_chosen(rng):
    pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
    images = EncodedImages(["a"], 20, contents=[encoded(pixels)])
    np.testing.assert_array_equal(images.take([0])[0], pixels[:, 5:25])
    seen = []

    def left(position, width, height):
        seen.append((position, width, height))
        return (0, 0, 20, 20)

    np.testing.assert_array_equal(images.take([0], left)[0], pixels[:, :20])
    assert seen == [(0, 30, 20)]


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P"])
def test_every_kind_of_image_becomes_colour(mode):
    grey = np.full((8, 8, 3), 102, np.uint8)
    content = encoded(grey, "TIFF", mode)
    taken = EncodedImages(["a"], 8, contents=[content]).take([0])
    np.testing.assert_allclose(taken, 102, atol=2)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_an_image_that_cannot_be_read_is_named(rng, kind, tmp_path):
    pixels = rng.integers(0, 256, (40, 40, 3), np.uint8)
    whole = encoded(pixels, kind)
    for content in (b"", b"no image", whole[:-700], whole[:10]):
        images = EncodedImages(
            ["good.x", "bad.x"], 8, contents=[whole, content], threads=2
        )
        with pytest.raises(ValueError, match=r"Cannot read the image bad.x: .*Repair"):
            images.take([0, 1])
    with pytest.raises(
        ValueError, match=r"Cannot read the image .*gone.jpg: .*No such"
    ):
        EncodedImages([str(tmp_path / "gone.jpg")], 8).take([0])
