import numpy as np
import pytest
from PIL import Image

from tfmot_onexn.networks import unlabelled


@pytest.fixture
def folder(tmp_path):
    """Eight images of one grey each, at several depths."""
    for index in range(8):
        place = tmp_path.joinpath(*("a", "b", "c")[: index % 3])
        place.mkdir(parents=True, exist_ok=True)
        grey = np.full((12, 10, 3), 10 * index, np.uint8)
        Image.fromarray(grey).save(place / f"{index}.{('png', 'BMP')[index % 2]}")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    return tmp_path


def greys(pixels):
    return sorted(int(grey) // 10 for grey in pixels[:, 0, 0, 0])


def test_images_are_found_at_any_depth(folder):
    pixels = unlabelled.load(folder, 8, 100)
    assert pixels.shape == (8, 8, 8, 3)
    assert greys(pixels) == list(range(8))


def test_a_seed_chooses_some(folder):
    chosen = [greys(unlabelled.load(folder, 8, 3, seed=seed)) for seed in (0, 0, 1, 2)]
    assert all(len(set(one)) == 3 for one in chosen)
    assert chosen[0] == chosen[1]
    assert len({tuple(one) for one in chosen}) > 1


def test_of_an_archive_those_to_train_on_are_taken(tmp_path):
    path = tmp_path / "images.npz"
    shape = (4, 8, 8, 3)
    np.savez(
        path,
        x_train=np.full(shape, 7, np.uint8),
        y_train=np.zeros(4, np.int64),
        x_test=np.full(shape, 9, np.uint8),
        y_test=np.zeros(4, np.int64),
    )
    assert (unlabelled.load(path, 8, 3) == 7).all()


def test_what_has_no_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No images in .*expected \.jpg"):
        unlabelled.load(tmp_path, 8, 5)
    with pytest.raises(ValueError, match=r"No images at .*nowhere\. Give a folder"):
        unlabelled.load(tmp_path / "nowhere", 8, 5)
    with pytest.raises(ValueError, match="At least 1 image is needed"):
        unlabelled.load(tmp_path, 8, 0)
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"Cannot read the image .*broken\.png"):
        unlabelled.load(tmp_path, 8, 5)
