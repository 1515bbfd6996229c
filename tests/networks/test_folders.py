import numpy as np
import pytest
from PIL import Image

from tfmot_onexn.networks import folders


def write_images(folder, names, count, suffix=".png"):
    for shade, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            image = Image.new("RGB", (10, 6), (80 * shade, 0, 255))
            image.save(folder / name / f"{index}{suffix}")
        (folder / name / "notes.txt").write_text("no image")


def test_folders_are_read_class_by_class(tmp_path):
    write_images(tmp_path, ["dog", "cat"], 10, ".JPEG")
    (tmp_path / ".hidden").mkdir()
    data = folders.load(tmp_path, 16, 0)
    assert data.train_images.shape == (16, 16, 16, 3)
    assert data.test_labels.size == 4
    assert (data.classes, data.class_names) == (2, ("cat", "dog"))
    assert data.name == tmp_path.name
    assert data.augmentation == "crop_flip"
    assert folders.load(tmp_path, 96, 0).augmentation == "resized_crop_flip"
    for images, labels in [
        (data.train_images, data.train_labels),
        (data.test_images, data.test_labels),
    ]:
        taken = images.take(range(len(images)))
        # the second class that was written is the first by name
        red = taken[:, 0, 0, 0].astype(int)
        np.testing.assert_allclose(red, (1 - labels) * 80, atol=2)
        np.testing.assert_allclose(taken[..., 2].astype(int), 255, atol=2)


@pytest.mark.parametrize("test", ["test", "val", "validation"])
def test_a_division_into_train_and_test_is_kept(tmp_path, test):
    write_images(tmp_path / "train", ["a", "b"], 3)
    write_images(tmp_path / test, ["a", "b"], 2)
    data = folders.load(tmp_path, 8, 0)
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.test_labels.tolist() == [0, 0, 1, 1]
    (tmp_path / test / "b").rename(tmp_path / test / "c")
    with pytest.raises(
        ValueError, match=r"do not have the same classes: only one of them has b, c\."
    ):
        folders.load(tmp_path, 8, 0)


def test_a_class_may_be_called_train(tmp_path):
    write_images(tmp_path, ["bus", "train"], 5)
    assert folders.load(tmp_path, 8, 0).class_names == ("bus", "train")


def test_images_are_read_only_when_they_are_taken(tmp_path):
    """A folder of a million images must not be decoded into memory."""
    write_images(tmp_path, ["a", "b"], 5)
    for path in tmp_path.glob("*/*.png"):
        path.write_bytes(b"no image")
    data = folders.load(tmp_path, 8, 0)
    assert len(data.train_images) == 8
    with pytest.raises(ValueError, match=r"Cannot read the image .*[ab].[0-4].png"):
        data.train_images.take([3])


def test_classes_without_images_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"No images in .*one folder .*found 0 folders"
    ):
        folders.load(tmp_path, 8, 0)
    write_images(tmp_path, ["cat"], 3)
    (tmp_path / "dog").mkdir()
    with pytest.raises(
        ValueError,
        match=r"No images in .*dog: expected .*found 2 folders with 3 images",
    ):
        folders.load(tmp_path, 8, 0)
