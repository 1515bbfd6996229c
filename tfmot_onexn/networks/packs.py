"""Reads images from `.npz` archives.

Two layouts are known:

* Plain arrays, as in Keras' own archives: ``x_train``, ``y_train``, ``x_test`` and
  ``y_test``; images uint8 ``[count, height, width, 3]``, or grey with one channel or
  none; labels integers ``[count]`` or ``[count, 1]``.
* Encoded images: ``data`` holds files of any kind that Pillow reads, one after the
  other, as uint8; file ``i`` lies at ``offsets[i]:offsets[i + 1]``; ``labels`` tells
  its class. ``split`` may tell what is to train on (0) and what to test on (1), and
  ``class_names`` what the classes are called.
"""

import pathlib

import numpy as np

from tfmot_onexn.networks import augmentation
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.networks.division import divide
from tfmot_onexn.networks.images import ArrayImages, EncodedImages

_PLAIN = ("x_train", "y_train", "x_test", "y_test")
_ENCODED = ("data", "offsets", "labels")


def load(path: pathlib.Path, image_size: int, seed: int) -> Dataset:
    """Loads an archive of images.

    Args:
      path: of the `.npz`.
      image_size: height and width to bring the images to.
      seed: of the division where the archive has none; see `division.divide`.

    Raises:
      ValueError: naming the array that is missing, damaged or does not fit.
    """
    try:
        archive = np.load(path, allow_pickle=False)
        names = set(archive.files)
    except Exception as error:  # zipfile, zlib and NumPy each have their own
        raise ValueError(f"{path} is no .npz archive, or it is damaged.") from error
    with archive:
        if names.issuperset(_PLAIN):
            return _plain(path, archive, image_size)
        if names.issuperset(_ENCODED):
            return _encoded(path, archive, image_size, seed)
    raise ValueError(
        f"{path} has the arrays {', '.join(sorted(names)) or 'of no name'}; expected "
        f"{', '.join(_PLAIN)}, or {', '.join(_ENCODED)}."
    )


def _plain(path: pathlib.Path, archive, image_size: int) -> Dataset:
    train_images, grey = _pixels(path, archive, "x_train", image_size)
    test_images, _ = _pixels(path, archive, "x_test", image_size)
    train_labels = _labels(path, archive, "y_train", len(train_images))
    test_labels = _labels(path, archive, "y_test", len(test_images))
    return Dataset(
        path.stem,
        train_images,
        train_labels,
        test_images,
        test_labels,
        int(max(train_labels.max(), test_labels.max())) + 1,
        # grey images may be characters, which must not be mirrored
        augmentation="none" if grey else augmentation.usual(image_size),
    )


def _encoded(path: pathlib.Path, archive, image_size: int, seed: int) -> Dataset:
    data, offsets = (_integers(path, archive, name) for name in ("data", "offsets"))
    count = len(offsets) - 1
    whole = offsets.ndim == 1 and count > 0 and (np.diff(offsets) > 0).all()
    if not whole or offsets[0] != 0 or offsets[-1] != len(data):
        raise ValueError(
            f"The array 'offsets' in {path} must rise from 0 to the {len(data)} bytes "
            "of 'data'; the archive is damaged or of another layout."
        )
    labels = _labels(path, archive, "labels", count)
    names: tuple[str, ...] = ()
    if "class_names" in archive.files:
        names = tuple(map(str, _array(path, archive, "class_names")))
    train, test = _division(path, archive, labels, seed)
    view = np.ascontiguousarray(data, np.uint8).data

    def images(chosen: np.ndarray) -> EncodedImages:
        return EncodedImages(
            [f"{i} of {path}" for i in chosen],
            image_size,
            contents=[view[offsets[i] : offsets[i + 1]] for i in chosen],
        )

    return Dataset(
        path.stem,
        images(train),
        labels[train],
        images(test),
        labels[test],
        len(names) or int(labels.max()) + 1,
        names,
        augmentation=augmentation.usual(image_size),
    )


def _division(
    path: pathlib.Path, archive, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    if "split" not in archive.files:
        return divide(labels, seed)
    split = _labels(path, archive, "split", len(labels))
    if split.max() > 1:
        raise ValueError(
            f"The array 'split' in {path} has values up to {split.max()}; expected 0 "
            "for images to train on and 1 for images to test on."
        )
    train, test = np.flatnonzero(split == 0), np.flatnonzero(split == 1)
    return (train, test) if train.size and test.size else divide(labels, seed)


def _pixels(
    path: pathlib.Path, archive, name: str, image_size: int
) -> tuple[ArrayImages, bool]:
    """Returns images and whether they are grey."""
    pixels = _array(path, archive, name)
    grey = pixels.ndim == 3 or pixels.shape[3:] == (1,)
    if grey and pixels.ndim == 4:
        pixels = pixels[..., 0]
    colour = pixels.ndim == 4 and pixels.shape[3] == 3
    if pixels.dtype != np.uint8 or not (grey or colour) or not pixels.size:
        raise ValueError(
            f"The array {name!r} in {path} is {pixels.dtype} {list(pixels.shape)}; "
            "expected images as uint8 [count, height, width, 3] or [count, height, "
            "width]."
        )
    return ArrayImages(pixels, image_size), grey


def _labels(path: pathlib.Path, archive, name: str, count: int) -> np.ndarray:
    """Returns as many integers from 0 as there are images."""
    values = _integers(path, archive, name)
    if values.shape not in ((count,), (count, 1)) or values.min() < 0:
        raise ValueError(
            f"The array {name!r} in {path} does not fit its {count} images: it has the "
            f"shape {list(values.shape)}; expected one integer from 0 for each image."
        )
    return values.reshape(count).astype(np.int64)


def _integers(path: pathlib.Path, archive, name: str) -> np.ndarray:
    values = _array(path, archive, name)
    if values.dtype.kind not in "iu":
        raise ValueError(
            f"The array {name!r} in {path} is {values.dtype}; expected integers."
        )
    return values


def _array(path: pathlib.Path, archive, name: str) -> np.ndarray:
    try:
        return archive[name]
    except Exception as error:  # zipfile, zlib and NumPy each have their own
        raise ValueError(
            f"Cannot read the array {name!r} in {path}: {error}. Write the file anew."
        ) from error
