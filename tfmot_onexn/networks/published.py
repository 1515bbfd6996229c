"""Reads CIFAR-10, CIFAR-100 and Fashion-MNIST as their authors publish them."""

import gzip
import math
import pathlib

import numpy as np
import tf_keras

from tfmot_onexn.networks import augmentation, pickles
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.networks.images import ArrayImages

NAMES = ("cifar10", "cifar100", "fashion_mnist")

_CIFAR10_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_FASHION_NAMES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
_IDX_IMAGES = ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz")
_IDX_LABELS = ("train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def download(name: str, image_size: int) -> Dataset:
    """Gets a dataset through Keras' downloader, which keeps it for the next time.

    Args:
      name: one of `NAMES`.
      image_size: height and width to bring the images to.

    Raises:
      ValueError: if it cannot be downloaded.
    """
    module = getattr(tf_keras.datasets, name)
    try:
        (images, labels), (test_images, test_labels) = module.load_data()
    except Exception as error:  # Keras raises bare exceptions
        raise ValueError(
            f"Cannot get {name} through Keras' downloader: {error}. Give the folder or "
            "the .npz of a copy in its place."
        ) from error
    class_names = {"cifar10": _CIFAR10_NAMES, "fashion_mnist": _FASHION_NAMES}
    return _dataset(
        name,
        (images, test_images),
        (labels.reshape(-1), test_labels.reshape(-1)),
        image_size,
        100 if name == "cifar100" else 10,
        class_names.get(name, ()),
    )


def load(root: pathlib.Path, image_size: int) -> Dataset | None:
    """Loads a folder as published; returns None if it is none.

    Known are ``cifar-10-batches-py``, ``cifar-100-python``, and a folder of the four
    gzipped files that MNIST and Fashion-MNIST have.

    Args:
      root: the folder.
      image_size: height and width to bring the images to.

    Raises:
      ValueError: naming the file that is missing or damaged.
    """
    if (root / "data_batch_1").is_file():
        batches = [_cifar(root / f"data_batch_{i}", b"labels") for i in range(1, 6)]
        images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        test = _cifar(root / "test_batch", b"labels")
        names = _names(root / "batches.meta", b"label_names")
    elif (root / "train").is_file() and (root / "meta").is_file():
        images, labels = _cifar(root / "train", b"fine_labels")
        test = _cifar(root / "test", b"fine_labels")
        names = _names(root / "meta", b"fine_label_names")
    elif (root / _IDX_IMAGES[0]).is_file():
        images, labels = (_idx(root / files[0]) for files in (_IDX_IMAGES, _IDX_LABELS))
        test = (_idx(root / _IDX_IMAGES[1]), _idx(root / _IDX_LABELS[1]))
        names = ()
    else:
        return None
    classes = len(names) or int(labels.max(initial=0)) + 1
    return _dataset(
        root.name, (images, test[0]), (labels, test[1]), image_size, classes, names
    )


def _dataset(
    name: str,
    images: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    image_size: int,
    classes: int,
    class_names: tuple[str, ...],
) -> Dataset:
    grey = images[0].ndim == 3
    return Dataset(
        name,
        ArrayImages(images[0], image_size),
        labels[0].astype(np.int64),
        ArrayImages(images[1], image_size),
        labels[1].astype(np.int64),
        classes,
        class_names,
        # grey images may be characters, which must not be mirrored
        augmentation="none" if grey else augmentation.usual(image_size),
    )


def _cifar(path: pathlib.Path, label_key: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Returns pixels uint8 ``[count, 32, 32, 3]`` and labels of one batch file."""
    content = pickles.load(path)
    pixels, labels = content.get(b"data"), content.get(label_key)
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.shape[1:] != (3072,)
        or not isinstance(labels, list)
        or len(labels) != len(pixels)
        or not all(isinstance(label, int) for label in labels)
    ):
        raise ValueError(
            f"{path} does not hold what a CIFAR file does: 'data', uint8 "
            f"[count, 3072], and {label_key.decode()!r}, an integer for each image."
        )
    # the three channels come one after the other
    return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), np.array(labels)


def _names(path: pathlib.Path, key: bytes) -> tuple[str, ...]:
    names = pickles.load(path).get(key)
    if not isinstance(names, list) or not all(isinstance(n, bytes) for n in names):
        raise ValueError(f"{path} does not hold a list of names {key.decode()!r}.")
    return tuple(name.decode() for name in names)


def _idx(path: pathlib.Path) -> np.ndarray:
    """Returns the uint8 array of a gzipped IDX file."""
    try:
        content = gzip.decompress(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"No file {path}; the folder is not complete.") from error
    except Exception as error:  # gzip, zlib and a file's end each have their own
        raise ValueError(f"Cannot unpack {path}: {error}.") from error
    # two zeros, 8 for bytes, the number of axes; their lengths; the values
    axes = 3 if "idx3" in path.name else 1
    start = 4 + 4 * axes
    shape = [int.from_bytes(content[at : at + 4]) for at in range(4, start, 4)]
    if content[:4] != bytes((0, 0, 8, axes)) or len(content) != start + math.prod(
        shape
    ):
        raise ValueError(
            f"{path} is no IDX file of bytes with {axes} axes, or it is damaged."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
