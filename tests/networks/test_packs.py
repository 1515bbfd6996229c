import io

import numpy as np
import pytest
from PIL import Image

from tfmot_onexn.networks import packs


@pytest.fixture
def plain(rng):
    return {
        "x_train": rng.integers(0, 256, (6, 8, 8, 3), np.uint8),
        "y_train": np.arange(6, dtype=np.uint8) % 3,
        "x_test": rng.integers(0, 256, (4, 8, 8, 3), np.uint8),
        "y_test": np.arange(4) % 3,
    }


@pytest.fixture
def encoded():
    """Ten images of two classes, each of one shade."""
    contents = []
    for shade in range(10):
        buffer = io.BytesIO()
        Image.new("RGB", (12, 8), (20 * shade,) * 3).save(buffer, "JPEG")
        contents.append(buffer.getvalue())
    return {
        "data": np.frombuffer(b"".join(contents), np.uint8),
        "offsets": np.cumsum([0, *map(len, contents)]),
        "labels": np.repeat([0, 1], 5).astype(np.int16),
        "split": np.tile([0, 1], 5).astype(np.uint8),
        "class_names": np.array(["cat", "dog"]),
    }


@pytest.fixture
def load(tmp_path):
    def call(arrays, size=8, seed=0):
        np.savez(tmp_path / "some.npz", **arrays)
        return packs.load(tmp_path / "some.npz", size, seed)

    return call


def test_plain_arrays_are_images(load, plain):
    data = load(plain)
    assert (data.name, data.classes, data.class_names) == ("some", 3, ())
    assert data.augmentation == "crop_flip"
    np.testing.assert_array_equal(
        data.train_images.take([5, 0]), plain["x_train"][[5, 0]]
    )
    np.testing.assert_array_equal(data.test_labels, plain["y_test"])
    assert data.train_labels.dtype == np.int64
    assert (
        load({**plain, "y_train": plain["y_train"][:, None]}, 16).image_shape[0] == 16
    )


@pytest.mark.parametrize("channels", [(), (1,)])
def test_grey_arrays_are_images_too(load, plain, channels):
    for name in ("x_train", "x_test"):
        plain[name] = plain[name][..., 0].reshape(-1, 8, 8, *channels)
    data = load(plain)
    assert data.image_shape == (8, 8, 3)
    assert data.augmentation == "none"
    taken = data.test_images.take([2])
    np.testing.assert_array_equal(taken[0, ..., 1], plain["x_test"][2].reshape(8, 8))


def shades(images):
    return (images.take(range(len(images))).mean((1, 2, 3)) / 20).round().tolist()


def test_encoded_images_are_divided_as_the_archive_says(load, encoded):
    data = load(encoded)
    assert shades(data.train_images) == [0, 2, 4, 6, 8]
    assert shades(data.test_images) == [1, 3, 5, 7, 9]
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1]
    assert (data.classes, data.class_names) == (2, ("cat", "dog"))
    assert data.image_shape == (8, 8, 3)


def test_encoded_images_are_divided_here_if_need_be(load, encoded):
    for split in (np.ones(10, int), np.zeros(10, int), None):
        arrays = {**encoded, "split": split}
        if split is None:
            del arrays["split"]
        data = load(arrays)
        assert np.bincount(data.test_labels).tolist() == [1, 1]
        assert sorted(shades(data.train_images) + shades(data.test_images)) == [
            *range(10)
        ]
    # one image of each class, as in samples of ImageNet: every other one
    del arrays["class_names"]
    data = load({**arrays, "labels": np.arange(10)})
    assert data.train_labels.tolist() == shades(data.train_images) == [0, 2, 4, 6, 8]
    assert (data.classes, data.class_names) == (10, ())


def test_a_damaged_image_in_an_archive_is_named(load, encoded):
    data = encoded["data"].copy()
    data[encoded["offsets"][3] : encoded["offsets"][3] + 100] = 0
    with pytest.raises(ValueError, match=r"Cannot read the image 3 of .*some.npz"):
        load({**encoded, "data": data}).test_images.take([0, 1])


def test_arrays_that_are_no_images_are_refused(load, plain):
    for changes, message in [
        (
            {"x_train": plain["x_train"] / 255},
            r"'x_train' .* is float64 \[6, 8, 8, 3\]",
        ),
        (
            {"x_test": plain["x_test"].transpose(0, 3, 1, 2)},
            r"'x_test' .*\[4, 3, 8, 8\]",
        ),
        ({"x_test": plain["x_test"][:0]}, r"'x_test' .*\[0, 8, 8, 3\]"),
        (
            {"y_train": plain["y_test"]},
            r"'y_train' .* does not fit its 6 images.*\[4\]",
        ),
        ({"y_test": np.arange(4) - 1}, r"'y_test' .* one integer from 0 for each"),
        ({"y_test": np.arange(4) / 4}, r"'y_test' .* is float64; expected integers"),
        ({"y_test": np.array([None] * 4)}, r"Cannot read the array 'y_test' .*Object"),
    ]:
        with pytest.raises(ValueError, match=message):
            load({**plain, **changes})


def test_encoded_arrays_that_do_not_fit_are_refused(load, encoded):
    offsets = encoded["offsets"]
    for changes, message in [
        ({"offsets": offsets[:-1]}, r"'offsets' .* must rise from 0 to the \d+ bytes"),
        ({"offsets": offsets[1:]}, r"'offsets' .* must rise"),
        ({"offsets": offsets[[0, 2, 1, *range(3, 11)]]}, r"'offsets' .* must rise"),
        ({"offsets": offsets[:1]}, r"'offsets' .* must rise"),
        ({"labels": encoded["labels"][1:]}, r"'labels' .* does not fit its 10 images"),
        ({"split": encoded["split"] + 1}, r"'split' .* values up to 2; expected 0"),
        ({"split": encoded["split"][1:]}, r"'split' .* does not fit its 10 images"),
        ({"class_names": np.array(["cat"])}, r"labels from 0 to 1; its 1 classes"),
    ]:
        with pytest.raises(ValueError, match=message):
            load({**encoded, **changes})


def test_other_archives_are_refused(load, plain, tmp_path):
    del plain["y_test"]
    with pytest.raises(
        ValueError,
        match=r"has the arrays x_test, x_train, y_train; expected x_train, .*or data",
    ):
        load(plain)
    path = tmp_path / "other.npz"
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"", b"no archive", (tmp_path / "one.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"other.npz is no .npz archive, or it is"):
            packs.load(path, 8, 0)


def test_a_damaged_array_is_named(load, plain, tmp_path):
    load(plain)
    content = bytearray((tmp_path / "some.npz").read_bytes())
    at = content.index(b"x_test.npy") + 200
    content[at : at + 20] = bytes(20)
    (tmp_path / "damaged.npz").write_bytes(content)
    with pytest.raises(ValueError, match=r"Cannot read the array 'x_test' in .*CRC"):
        packs.load(tmp_path / "damaged.npz", 8, 0)
