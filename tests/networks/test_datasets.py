import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tfmot_onexn.networks import datasets, published


def test_digits_are_divided_by_class_and_seed():
    data = datasets.digits(32)
    assert data.train_images.shape == (1437, 32, 32, 3)
    assert data.test_images.shape == (360, 32, 32, 3)
    assert data.image_shape == (32, 32, 3)
    assert (data.classes, data.class_names[9]) == (10, "9")
    assert data.augmentation == "none"
    share = np.bincount(data.test_labels) / np.bincount(data.train_labels)
    np.testing.assert_allclose(share, 0.25, atol=0.02)
    other = datasets.digits(32, seed=1)
    assert not np.array_equal(data.test_labels, other.test_labels)
    np.testing.assert_array_equal(data.test_labels, datasets.digits(32).test_labels)
    with pytest.raises(ValueError, match="30 is not a multiple of 8"):
        datasets.digits(30)


def test_digits_keep_all_their_greys():
    """Not one is rounded, though pixels come as multiples of 255/16."""
    greys, labels = load_digits(return_X_y=True)
    inputs, found = datasets.digits(16).train_batches(2000)[0]
    assert inputs.shape == (1437, 16, 16, 3)
    assert inputs.dtype == np.float32
    exact = {
        (image / 8 - 1).tobytes(): label
        for image, label in zip(greys, labels, strict=True)
    }
    small = inputs[:, ::2, ::2, 0].reshape(-1, 64).astype(np.float64)
    assert [exact[image.tobytes()] for image in small] == found.tolist()
    for channel in range(3):
        np.testing.assert_array_equal(inputs[..., channel], inputs[..., 0])
    np.testing.assert_array_equal(inputs[:, ::2, ::2], inputs[:, 1::2, 1::2])


def test_each_source_is_recognized(tmp_path, monkeypatch, rng):
    pixels = rng.integers(0, 256, (6, 8, 8, 3), np.uint8)
    labels = np.arange(6) % 2
    path = tmp_path / "pack.npz"
    np.savez(path, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels)
    data = datasets.load(str(path), 8)
    np.testing.assert_array_equal(data.test_images.take([4])[0], pixels[4])
    folder = tmp_path / "images"
    for index, (image, label) in enumerate(zip(pixels, "ababab", strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / label / f"{index}.png")
    data = datasets.load(str(folder), 8)
    assert (data.name, data.class_names) == ("images", ("a", "b"))
    assert datasets.load("digits", 8, seed=4).name == "digits"
    monkeypatch.setattr(published, "download", lambda *arguments: data)
    assert datasets.load("cifar10", 8) is data
    monkeypatch.setattr(published, "load", lambda *arguments: data)
    assert datasets.load(str(tmp_path), 8) is data


def test_data_that_is_not_there_is_refused(tmp_path):
    for source in ("cifar", str(tmp_path / "gone.npz"), __file__):
        with pytest.raises(
            ValueError, match=r"No data at '.*'. Use digits, cifar10, .*a folder of"
        ):
            datasets.load(source, 32)
    with pytest.raises(ValueError, match=r"No images in .*one folder per class"):
        datasets.load(str(tmp_path), 32)


def test_one_image_is_not_enough(tmp_path):
    (tmp_path / "a").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "a" / "1.png")
    with pytest.raises(ValueError, match=r"has 1 images to train on and 0 to test on"):
        datasets.load(str(tmp_path), 8)


@pytest.mark.parametrize("size", [0, -8, None, 32.0])
def test_sizes_that_make_no_sense_are_refused(size):
    with pytest.raises(ValueError, match=rf"at least 1 pixel, found {size}"):
        datasets.load("digits", size)
