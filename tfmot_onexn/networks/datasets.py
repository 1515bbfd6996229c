"""Images and labels by name, by folder or by file."""

import numbers
import pathlib

import numpy as np

from tfmot_onexn.networks import folders, packs, published
from tfmot_onexn.networks.batches import Batches, Dataset
from tfmot_onexn.networks.division import divide
from tfmot_onexn.networks.images import ArrayImages

__all__ = ["Batches", "Dataset", "digits", "load"]


def load(source: str, image_size: int, *, seed: int = 0) -> Dataset:
    """Loads a dataset.

    Images of another shape are cut and scaled as `images.centre_box` tells. The usual
    augmentation of images in colour goes by their size, see `augmentation.usual`; grey
    ones, which may be characters, are trained on as they are.

    Args:
      source: one of

        * "digits", which comes with scikit-learn;
        * "cifar10", "cifar100" or "fashion_mnist", through Keras' downloader;
        * a folder of one of these as published, see `published.load`;
        * a folder of ``class/*.jpg``, perhaps below ``train`` and ``test`` or ``val``;
        * an `.npz` of arrays or of encoded images, see `packs`.
      image_size: height and width to bring the images to.
      seed: of the division where the source has none, see `division.divide`.

    Raises:
      ValueError: if the source is unknown, damaged or has no images.
    """
    if not isinstance(image_size, numbers.Integral) or image_size < 1:
        raise ValueError(
            f"Images need a height and width of at least 1 pixel, found {image_size!r}."
        )
    dataset = _load(source, image_size, seed)
    if not len(dataset.train_labels) or not len(dataset.test_labels):
        raise ValueError(
            f"{source} has {len(dataset.train_labels)} images to train on and "
            f"{len(dataset.test_labels)} to test on; at least one of each is needed."
        )
    return dataset


def _load(source: str, image_size: int, seed: int) -> Dataset:
    if source == "digits":
        return digits(image_size, seed=seed)
    if source in published.NAMES:
        return published.download(source, image_size)
    path = pathlib.Path(source)
    if path.is_dir():
        return published.load(path, image_size) or folders.load(path, image_size, seed)
    if path.suffix == ".npz" and path.exists():
        return packs.load(path, image_size, seed)
    raise ValueError(
        f"No data at {source!r}. Use digits, {', '.join(published.NAMES)}, a folder of "
        "class/*.jpg, a folder as CIFAR or Fashion-MNIST is published, or an .npz of "
        "images."
    )


def digits(image_size: int = 32, *, seed: int = 0) -> Dataset:
    """Returns scikit-learn's 1797 handwritten digits as colour images.

    They come with scikit-learn, 8x8 pixels of 17 greys, and are enlarged by repeating
    pixels, so ``image_size`` must be a multiple of 8.
    """
    from sklearn.datasets import load_digits

    if image_size % 8:
        raise ValueError(
            f"The digits have 8x8 pixels; {image_size} is not a multiple of 8."
        )
    greys, labels = load_digits(return_X_y=True)
    scale = image_size // 8
    # float32: no whole numbers from 0 to 255 are 17 greys at equal distances
    pixels = (greys.reshape(-1, 8, 8) * (255 / 16)).astype(np.float32)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2)
    train, test = divide(labels, seed)
    return Dataset(
        "digits",
        ArrayImages(pixels[train]),
        labels[train].astype(np.int64),
        ArrayImages(pixels[test]),
        labels[test].astype(np.int64),
        10,
        tuple(map(str, range(10))),
    )
