import numpy as np
import pytest
from PIL import Image

from tfmot_onexn.networks import datasets


def test_digits_are_divided_by_class_and_seed():
    data = datasets.digits(32)
    assert data.train_images.shape == (1437, 32, 32, 3)
    assert data.test_images.shape == (360, 32, 32, 3)
    assert data.image_shape == (32, 32, 3)
    assert data.classes == 10
    assert (data.train_images.min(), data.train_images.max()) == (-1.0, 1.0)
    share = np.bincount(data.test_labels) / np.bincount(data.train_labels)
    np.testing.assert_allclose(share, 0.25, atol=0.02)
    other = datasets.digits(32, seed=1)
    assert not np.array_equal(data.test_labels, other.test_labels)
    np.testing.assert_array_equal(data.test_labels, datasets.digits(32).test_labels)
    with pytest.raises(ValueError, match="30 is not a multiple of 8"):
        datasets.digits(30)


def write_images(folder, names, count):
    for shade, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            image = Image.new("RGB", (10, 6), (80 * shade, 0, 255))
            image.save(folder / name / f"{index}.png")
        (folder / name / "notes.txt").write_text("no image")


def test_folders_are_read_class_by_class(tmp_path):
    write_images(tmp_path, ["cat", "dog"], 10)
    data = datasets.load(str(tmp_path), 16)
    assert data.train_images.shape == (16, 16, 16, 3)
    assert data.test_labels.size == 4
    assert data.classes == 2
    red = data.train_images[:, 0, 0, 0]
    np.testing.assert_allclose(red, data.train_labels * 80 / 127.5 - 1, rtol=1e-6)
    np.testing.assert_allclose(data.train_images[..., 2], 1.0)


def test_a_division_into_train_and_test_is_kept(tmp_path):
    write_images(tmp_path / "train", ["a", "b"], 3)
    write_images(tmp_path / "test", ["a", "b"], 2)
    data = datasets.load(str(tmp_path), 8)
    assert (data.train_labels.size, data.test_labels.size) == (6, 4)
    (tmp_path / "test" / "b").rename(tmp_path / "test" / "c")
    with pytest.raises(ValueError, match="do not have the same classes"):
        datasets.load(str(tmp_path), 8)


def test_data_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"No data at 'cifar'. Use digits, or a folder"
    ):
        datasets.load("cifar", 32)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ValueError, match=r"No images in .*one folder per class.*found 1"
    ):
        datasets.load(str(tmp_path), 32)
    (tmp_path / "empty" / "broken.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Cannot read the image .*broken.jpg"):
        datasets.load(str(tmp_path), 32)


def test_batches_cover_all_images_in_an_order_of_seed_and_epoch():
    images, labels = np.arange(10.0), np.arange(10)

    def orders(first_epoch, epochs, seed=0):
        batches = datasets.Batches(
            images, labels, 4, seed=seed, first_epoch=first_epoch
        )
        for _ in range(epochs):
            assert len(batches) == 3
            yield np.concatenate([batches[i][1] for i in range(3)]).tolist()
            batches.on_epoch_end()

    first, second, third = orders(0, 3)
    assert sorted(first) == sorted(second) == labels.tolist()
    assert first != second != third
    assert list(orders(1, 2)) == [second, third]
    assert next(orders(0, 1, seed=1)) != first
