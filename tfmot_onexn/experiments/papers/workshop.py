"""What the jobs of one process share: images, dense networks, compiled trainers."""

import dataclasses
import functools
import pathlib
import zlib
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from tfmot_onexn.benchmark import machine
from tfmot_onexn.experiments.papers.settings import Subject, digest, plain
from tfmot_onexn.graph import surgery
from tfmot_onexn.networks import datasets, files, models, preprocessing
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.networks.images import ArrayImages, Images
from tfmot_onexn.pruning import distribution
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.pruning.variants import Variant


@dataclasses.dataclass(frozen=True)
class Sources:
    """Where a workshop finds and keeps things.

    Attributes:
      folder: of the results; dense networks are kept there too.
      data: a source that `networks.datasets.load` knows.
      weights: files of dense weights by network, in place of trained ones.
    """

    folder: pathlib.Path
    data: str
    weights: tuple[tuple[str, str], ...] = ()


# height up to which images are kept decoded
_SMALL = 64


class Workshop:
    """Loads and builds on first use, and keeps.

    Attributes:
      sources: where things are.
      strategy: what trains, see `pruning.distribution`.
      trainers: by all that their compiled step depends on; see `trainer.tuner`.
    """

    def __init__(
        self, sources: Sources, strategy: tf.distribute.Strategy | None = None
    ):
        self.sources = sources
        self.strategy = strategy or tf.distribute.get_strategy()
        self.trainers: dict[tuple, Any] = {}
        self._datasets: dict[tuple, Dataset] = {}
        self._dense: dict[Subject, tf_keras.Model] = {}
        self._pruned: dict[tuple[Subject, Variant, int], tf_keras.Model] = {}
        self._prepared: dict[tuple[Subject, Variant, int], tf_keras.Model] = {}

    @property
    def writes(self) -> bool:
        """Whether this process keeps results: the only one, or the chief of several."""
        return distribution.is_chief(self.strategy)

    @functools.cached_property
    def machine(self) -> str:
        """The processor and the versions that results depend on."""
        found = machine.describe()
        versions = found["versions"]
        names = ("tensorflow", "tfmot-onexn")
        used = ", ".join(f"{name} {versions.get(name)}" for name in names)
        return f"{found['cpu']}, {found['cores']} cores; {used}"

    def dataset(self, subject: Subject) -> Dataset:
        """Returns the images that a network learns and is tested on."""
        key = (subject.image_size, subject.train_images, subject.test_images)
        if key not in self._datasets:
            loaded = datasets.load(self.sources.data, subject.image_size)
            train = _some(len(loaded.train_labels), subject.train_images)
            test = _some(len(loaded.test_labels), subject.test_images)
            self._datasets[key] = dataclasses.replace(
                loaded,
                train_images=_chosen(loaded.train_images, train),
                train_labels=loaded.train_labels[train],
                test_images=_chosen(loaded.test_images, test),
                test_labels=loaded.test_labels[test],
            )
        return self._datasets[key]

    def dataset_for(self, subject: Subject, model: tf_keras.Model) -> Dataset:
        """Returns the images, preprocessed as a network expects."""
        return dataclasses.replace(
            self.dataset(subject), preprocessing=preprocessing.preprocessing_for(model)
        )

    def untrained(self, subject: Subject, seed: int) -> tf_keras.Model:
        """Builds a network with random weights, as Keras initializes them."""
        tf_keras.utils.set_random_seed(seed)
        model = models.NETWORKS[subject.network](
            input_shape=(subject.image_size, subject.image_size, 3),
            alpha=subject.alpha,
            weights=None,
            classes=self.dataset(subject).classes,
        )
        model._name = subject.network
        models.set_batch_norm_momentum(model, 0.9)
        if subject.stem_stride == 2:
            return model
        stem = next(
            layer for layer in model.layers if isinstance(layer, tf_keras.layers.Conv2D)
        )
        strides = (subject.stem_stride, subject.stem_stride)
        return surgery.copy_model(model, changes={stem: {"strides": strides}})

    def dense(self, subject: Subject) -> tf_keras.Model:
        """Returns the dense network that all variants start from.

        Raises:
          ValueError: if it has not been trained yet.
        """
        if subject not in self._dense:
            self._dense[subject] = self._load_dense(subject)
        return self._dense[subject]

    def prepared(
        self, subject: Subject, variant: Variant, calibration: int = 0
    ) -> tf_keras.Model:
        """Returns the dense network with its filters in order for a variant.

        Args:
          subject: the network.
          variant: how it will be pruned.
          calibration: number of images to go by; 0 for none.
        """
        key = (subject, variant, calibration)
        if key not in self._prepared:
            model = variant.prepare(
                self.dense(subject), self._calibration(subject, calibration)
            )
            # the seeds of one variant follow each other
            self._prepared = {key: model}
        return self._prepared[key]

    def pruned(
        self, subject: Subject, variant: Variant, calibration: int = 0
    ) -> tf_keras.Model:
        """Returns the dense network pruned as a variant, before any training.

        Args:
          subject: the network.
          variant: how it is pruned.
          calibration: number of images that choose its blocks and solve its weights;
            0 for none.
        """
        key = (subject, variant, calibration)
        if key not in self._pruned:
            model = variant.prune(
                self.prepared(*key),
                calibration=self._calibration(subject, calibration),
            )
            self._pruned = {key: model}
        return self._pruned[key]

    def _calibration(self, subject: Subject, count: int) -> Calibration | None:
        if not count:
            return None
        images = self.dataset(subject).train_images
        chosen = images.take(_some(len(images), count))
        name = preprocessing.preprocessing_for(self.dense(subject))
        return Calibration(preprocessing.preprocess(name, chosen), verbose=False)

    def checksum(self, subject: Subject) -> str:
        """Returns digits that differ where the dense networks do."""
        weights = self.dense(subject).get_weights()
        return f"{zlib.crc32(b''.join(w.tobytes() for w in weights)):08x}"

    def trains_dense(self, subject: Subject) -> bool:
        """Returns whether the dense network is trained here, not loaded."""
        return subject.weights == "random"

    def _load_dense(self, subject: Subject) -> tf_keras.Model:
        if self.trains_dense(subject):
            path = self._dense_path(subject)
            if not path.exists():
                raise ValueError(
                    f"No dense {subject.network} at {path}, which variants start from. "
                    f"Delete the results in {self.sources.folder} to begin anew."
                )
            model = self.untrained(subject, seed=0)
            with np.load(path) as archive:
                model.set_weights([archive[name] for name in archive.files])
            return model
        return models.build(
            subject.network,
            dict(self.sources.weights).get(subject.network, subject.weights),
            input_shape=(subject.image_size, subject.image_size, 3),
            alpha=subject.alpha,
        )

    def keep_dense(self, subject: Subject, model: tf_keras.Model) -> None:
        """Keeps a trained dense network for `dense`; on disk if this is the chief."""
        weights = model.get_weights()
        bare = self.untrained(subject, seed=0)
        bare.set_weights(weights)
        self._dense[subject] = bare
        if not self.writes:
            return
        path = self._dense_path(subject)
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(path) as temporary:
            np.savez(temporary, *weights)

    def _dense_path(self, subject: Subject) -> pathlib.Path:
        name = f"dense-{subject.network}-{digest(plain(subject))}.npz"
        return self.sources.folder / name


def _some(count: int, wanted: int | None) -> np.ndarray:
    """Returns which images to use: all, or a random choice, always the same."""
    if wanted is None or wanted >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:wanted])


def _chosen(images: Images, chosen: np.ndarray) -> Images:
    """Returns some images; small ones in memory, since decoding takes as long as they
    train.
    """
    if images.size <= _SMALL:
        return ArrayImages(images.take(chosen), images.size)
    return _Chosen(images, chosen)


class _Chosen(Images):
    """Some images of others, decoded when they are taken."""

    def __init__(self, images: Images, chosen: np.ndarray):
        super().__init__(images.size)
        self.dtype = images.dtype
        self._images, self._indices = images, chosen

    def __len__(self) -> int:
        return len(self._indices)

    def take(self, indices, choose_box=None) -> np.ndarray:
        return self._images.take(self._indices[indices], choose_box)

    def _bands(self, index: int):
        return self._images._bands(int(self._indices[index]))
