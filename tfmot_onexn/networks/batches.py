"""Images and labels, and the batches that training and testing see."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.networks import augmentation as augmentation_lib
from tfmot_onexn.networks import preprocessing as preprocessing_lib
from tfmot_onexn.networks.images import Images

# batches that are loaded before they are asked for
_AHEAD = 2
# so that the workers of a strategy need not ask each other who has data left
_without_end = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)


class Batches(tf_keras.utils.Sequence):
    """Batches whose order and content depend on the seed and the epoch alone.

    So a training that starts again at some epoch sees the batches it would have seen.

    Args:
      images: pixels.
      labels: int64 ``[count]``.
      batch_size: images per batch; the last batch has what is left.
      seed: of order and augmentation.
      first_epoch: number of the epoch that comes next.
      shuffle: a new order in each epoch, or the one the images have.
      augmentation: one of `augmentation.NAMES`.
      preprocessing: one of `preprocessing.NAMES`.
    """

    def __init__(
        self,
        images: Images,
        labels: np.ndarray,
        batch_size: int,
        *,
        seed: int = 0,
        first_epoch: int = 0,
        shuffle: bool = True,
        augmentation: str = "none",
        preprocessing: str = "tf",
    ):
        self._images, self._labels = images, labels
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = first_epoch
        self._shuffle = shuffle
        self._augmentation = augmentation_lib.require_known(augmentation)
        self._preprocessing = preprocessing_lib.require_known(preprocessing)
        self._failure: Exception | None = None
        self._arrange()

    def __len__(self) -> int:
        return -(-len(self._labels) // self._batch_size)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self._images.shape[1:]

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self._load(self._chosen(index))

    def share(
        self, index: int, part: int, parts: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns a part of a batch, for one of several replicas that train on it.

        Args:
          index: of the batch.
          part: from 0.
          parts: number of replicas.

        Returns:
          Inputs, labels and float32 weights ``[count]``. The weighted mean of a loss
          over each part, averaged over the parts, is its mean over the batch. Where
          there are more parts than images, some get an image of weight 0.
        """
        batch = self._chosen(index)
        own = np.array_split(batch, parts)[part]
        weight = len(own) * parts / len(batch)
        if not len(own):
            own = batch[:1]
        return *self._load(own), np.full(len(own), weight, np.float32)

    def once(self) -> tf.data.Dataset:
        """Returns the batches of this epoch, for ``evaluate``."""
        return self._streamed(lambda: map(self.__getitem__, range(len(self))))

    def endless(self) -> tf.data.Dataset:
        """Returns the batches of this epoch and of all later ones, for ``fit``.

        An epoch has ``len(self)`` steps; pass that as ``steps_per_epoch``.
        """

        def batches() -> Iterator[tuple[np.ndarray, ...]]:
            while True:
                yield from map(self.__getitem__, range(len(self)))
                self.on_epoch_end()

        return self._streamed(batches).apply(_without_end)

    def endless_shares(self, own: range, parts: int) -> tf.data.Dataset:
        """Returns some parts of each batch, see `share`, as `endless` does.

        Args:
          own: which parts, one after the other.
          parts: number of all of them.
        """

        def shares() -> Iterator[tuple[np.ndarray, ...]]:
            while True:
                for index in range(len(self)):
                    for part in own:
                        yield self.share(index, part, parts)
                self.on_epoch_end()

        weights = tf.TensorSpec((None,), tf.float32)
        return self._streamed(shares, weights).apply(_without_end)

    def _streamed(
        self,
        generate: Callable[[], Iterator[tuple[np.ndarray, ...]]],
        *more: tf.TensorSpec,
    ) -> tf.data.Dataset:
        images = tf.TensorSpec((None, *self.image_shape), tf.float32)
        labels = tf.TensorSpec((None,), tf.int64)
        data = tf.data.Dataset.from_generator(
            generate, output_signature=(images, labels, *more)
        )
        options = tf.data.Options()
        # its thread sleeps 10 ms, then twice as long each time, and the end of an
        # iterator waits until it wakes: up to as long again as the epoch took
        options.autotune.enabled = False
        return data.prefetch(_AHEAD).with_options(options)

    def _chosen(self, index: int) -> np.ndarray:
        start = index * self._batch_size
        return self._order[start : start + self._batch_size]

    def _load(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        try:
            pixels = augmentation_lib.take(
                self._augmentation,
                self._images,
                chosen,
                seed=self._seed,
                epoch=self._epoch,
            )
        except Exception as error:
            self._failure = error
            raise
        inputs = preprocessing_lib.preprocess(self._preprocessing, pixels)
        return inputs, self._labels[chosen]

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._arrange()

    @contextlib.contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Raises what a batch raised, not what TensorFlow makes of it.

        For around Keras' ``fit`` and ``evaluate``, which wrap a batch's exception with
        its traceback into one of their own.
        """
        try:
            yield
        except tf.errors.OpError:
            if self._failure is None:
                raise
            raise self._failure from None

    def _arrange(self) -> None:
        rng = np.random.default_rng([self._seed, self._epoch])
        count = len(self._labels)
        self._order = rng.permutation(count) if self._shuffle else np.arange(count)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Images and labels to train and to test on.

    Attributes:
      name: what tables call it.
      train_images: pixels.
      train_labels: int64 ``[count]``.
      test_images: as the training images.
      test_labels: as the training labels.
      classes: number of classes.
      class_names: of all classes, or empty where the source does not name them.
      augmentation: the usual one for training on it, one of `augmentation.NAMES`.
      preprocessing: what the network at hand expects, one of `preprocessing.NAMES`.
    """

    name: str
    train_images: Images
    train_labels: np.ndarray
    test_images: Images
    test_labels: np.ndarray
    classes: int
    class_names: tuple[str, ...] = ()
    augmentation: str = "none"
    preprocessing: str = "tf"

    def __post_init__(self):
        for part, images, labels in (
            ("training", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if labels.shape != (len(images),):
                raise ValueError(
                    f"{self.name} has {len(images)} {part} images and labels of shape "
                    f"{labels.shape}; expected one label per image."
                )
            if labels.size and not 0 <= labels.min() <= labels.max() < self.classes:
                raise ValueError(
                    f"{self.name} has {part} labels from {labels.min()} to "
                    f"{labels.max()}; its {self.classes} classes are 0 to "
                    f"{self.classes - 1}."
                )
        if self.class_names and len(self.class_names) != self.classes:
            raise ValueError(
                f"{self.name} has {len(self.class_names)} class names for "
                f"{self.classes} classes."
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        return self.train_images.shape[1:]

    def train_batches(
        self,
        batch_size: int,
        *,
        seed: int = 0,
        first_epoch: int = 0,
        augmentation: str = "auto",
    ) -> Batches:
        """Returns training batches for ``fit``.

        Args:
          batch_size: images per batch.
          seed: of order and augmentation.
          first_epoch: number of the epoch that comes next.
          augmentation: see `usual_augmentation`.
        """
        return Batches(
            self.train_images,
            self.train_labels,
            batch_size,
            seed=seed,
            first_epoch=first_epoch,
            augmentation=self.usual_augmentation(augmentation),
            preprocessing=self.preprocessing,
        )

    def test_batches(self, batch_size: int = 64) -> Batches:
        """Returns test batches, unchanged and in order, for ``evaluate``."""
        return Batches(
            self.test_images,
            self.test_labels,
            batch_size,
            shuffle=False,
            preprocessing=self.preprocessing,
        )

    def usual_augmentation(self, name: str = "auto") -> str:
        """Returns an augmentation's name; "auto" is the usual one of this dataset."""
        return self.augmentation if name == "auto" else name
