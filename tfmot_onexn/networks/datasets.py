"""Images and labels, as small arrays or as folders."""

import dataclasses
import os
import pathlib

import numpy as np
import tf_keras

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and labels to train and to test on.

    Attributes:
      name: what tables call it.
      train_images: float32 ``[count, height, width, 3]`` in [-1, 1].
      train_labels: int64 ``[count]``.
      test_images: as the training images.
      test_labels: as the training labels.
      classes: number of classes.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: int

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.train_images.shape[1:]


def load(source: str, image_size: int, *, seed: int = 0) -> Dataset:
    """Loads a dataset.

    Args:
      source: "digits", or a folder of ``class/*.jpg``, perhaps below ``train`` and
        ``test``.
      image_size: height and width to bring the images to.
      seed: of the division where the source has none.

    Raises:
      ValueError: if the source is unknown or has no images.
    """
    if source == "digits":
        return digits(image_size, seed=seed)
    if not os.path.isdir(source):
        raise ValueError(
            f"No data at {source!r}. Use digits, or a folder of class/*.jpg."
        )
    return _folder(pathlib.Path(source), image_size, seed)


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
    images, labels = load_digits(return_X_y=True)
    scale = image_size // 8
    pixels = (images.reshape(-1, 8, 8, 1) / 8.0 - 1.0).astype(np.float32)
    pixels = pixels.repeat(scale, axis=1).repeat(scale, axis=2).repeat(3, axis=3)
    return _divided("digits", pixels, labels.astype(np.int64), 10, seed)


def _divided(
    name: str, images: np.ndarray, labels: np.ndarray, classes: int, seed: int
) -> Dataset:
    """Holds a fifth of the images of every class back as a test set."""
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(labels.size), test_size=0.2, random_state=seed, stratify=labels
    )
    return Dataset(
        name, images[train], labels[train], images[test], labels[test], classes
    )


def _folder(root: pathlib.Path, image_size: int, seed: int) -> Dataset:
    train, test = root / "train", root / "test"
    if train.is_dir() and test.is_dir():
        images, labels, names = _read(train, image_size)
        test_images, test_labels, test_names = _read(test, image_size)
        if test_names != names:
            raise ValueError(f"{train} and {test} do not have the same classes.")
        return Dataset(root.name, images, labels, test_images, test_labels, len(names))
    images, labels, names = _read(root, image_size)
    return _divided(root.name, images, labels, len(names), seed)


def _read(folder: pathlib.Path, size: int) -> tuple[np.ndarray, np.ndarray, list[str]]:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    images, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((folder / name).iterdir()):
            if path.suffix.lower() in _SUFFIXES:
                images.append(_decoded(path, size))
                labels.append(label)
    if not images:
        raise ValueError(
            f"No images in {folder}: expected one folder per class with "
            f"{', '.join(_SUFFIXES)} files, found {len(classes)} folders."
        )
    return np.stack(images), np.array(labels, np.int64), classes


def _decoded(path: pathlib.Path, size: int) -> np.ndarray:
    try:
        image = tf_keras.utils.load_img(path, target_size=(size, size))
    except OSError as error:
        raise ValueError(f"Cannot read the image {path}: {error}.") from error
    return tf_keras.utils.img_to_array(image) / 127.5 - 1.0


class Batches(tf_keras.utils.Sequence):
    """Shuffled batches whose order depends on the seed and the epoch alone.

    So a training that starts again at some epoch sees the batches it would have seen.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        batch_size: int,
        *,
        seed: int = 0,
        first_epoch: int = 0,
    ):
        self._images, self._labels = images, labels
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = first_epoch
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        start = index * self._batch_size
        chosen = self._order[start : start + self._batch_size]
        return self._images[chosen], self._labels[chosen]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._shuffle()

    def _shuffle(self) -> None:
        rng = np.random.default_rng([self._seed, self._epoch])
        self._order = rng.permutation(len(self._labels))
