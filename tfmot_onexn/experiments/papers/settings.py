"""How large the networks and data of an experiment are, and how long they train."""

import dataclasses
import hashlib
import json
from typing import Any


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network, the images it learns, and how long: what a result depends on.

    Attributes:
      network: by name.
      alpha: its width multiplier.
      weights: of the dense network: "random", to train it here, "imagenet", or the
        name of a file.

    The others are those of `Setting`.
    """

    network: str
    alpha: float
    weights: str
    data: str
    image_size: int
    train_images: int | None
    test_images: int | None
    stem_stride: int
    dense_epochs: int
    tuning_epochs: int
    batch_size: int
    dense_rate: float
    tuning_rate: float

    @property
    def label(self) -> str:
        """The network and its width."""
        return f"{self.network} {self.alpha:g}"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all trainings of an experiment have in common.

    Attributes:
      name: "quick", "small" or "papers".
      data: name of the images; where they lie is told apart, see `Workshop`.
      image_size: height and width of the images.
      train_images: how many of the training images to use; all if None.
      test_images: the same of the test images.
      alphas: width multiplier of each network.
      stem_stride: of the first convolution, which the networks have 2 of for images of
        224 pixels.
      dense_weights: "random", to train the dense networks here, or "imagenet".
      dense_epochs: of a dense network from random weights.
      tuning_epochs: of each variant, from the dense network.
      batch_size: images per step.
      dense_rate: learning rate at the top of the cosine, of dense networks.
      tuning_rate: the same of variants.
      sparsities: p of the experiments that vary it.
      sizes: N of the experiments that vary it.
      given: name of the file of dense weights, for networks that have one.
    """

    name: str
    data: str
    image_size: int
    train_images: int | None
    test_images: int | None
    alphas: tuple[tuple[str, float], ...]
    stem_stride: int
    dense_weights: str
    dense_epochs: int
    tuning_epochs: int
    batch_size: int
    dense_rate: float
    tuning_rate: float
    sparsities: tuple[float, ...]
    sizes: tuple[int, ...]
    given: tuple[tuple[str, str], ...] = ()

    def of(self, network: str) -> Subject:
        """Returns a network with all that its results depend on.

        Raises:
          ValueError: if the setting is narrowed to others.
        """
        if network not in self.networks:
            raise ValueError(
                f"This experiment needs {network} too; found "
                f"{', '.join(self.networks)}."
            )
        shared = {field.name for field in dataclasses.fields(Subject)}
        values = {name: value for name, value in vars(self).items() if name in shared}
        weights = dict(self.given).get(network, self.dense_weights)
        return Subject(network, dict(self.alphas)[network], weights, **values)

    def sizes_among(self, *sizes: int) -> list[int]:
        """Returns those of some sizes of blocks that the setting has.

        Raises:
          ValueError: if it has none.
        """
        found = [n for n in self.sizes if n in sizes]
        if not found:
            raise ValueError(
                f"This experiment is of N = {' and '.join(map(str, sizes))}; found "
                f"{', '.join(map(str, self.sizes))}."
            )
        return found

    @property
    def networks(self) -> tuple[str, ...]:
        """All networks that have a width here."""
        return tuple(name for name, _ in self.alphas)

    def describe(self, *networks: str) -> str:
        """Returns what dense networks are and where they come from, for a page."""
        given = dict(self.given)
        loaded, trained = [], []
        for name in networks:
            label = self.of(name).label
            if name in given:
                loaded.append(f"{label} with the weights of {given[name]}")
            elif self.dense_weights == "random":
                trained.append(label)
            else:
                loaded.append(f"{label} with {self.dense_weights} weights")
        if trained:
            loaded.append(
                f"{', '.join(trained)} trained for {self.dense_epochs} epochs at "
                f"learning rate {self.dense_rate:g} on {self._images}"
            )
        return f"Setting “{self.name}”: {'; '.join(loaded)}."

    def describe_tuning(self, *networks: str) -> str:
        """Returns how variants are fine-tuned, for a page."""
        return (
            f"{self.describe(*networks)} Variants are fine-tuned for "
            f"{self.tuning_epochs} epochs at learning rate {self.tuning_rate:g} on "
            f"{self._images}, in batches of {self.batch_size}."
        )

    @property
    def _images(self) -> str:
        count = "all" if self.train_images is None else f"{self.train_images}"
        side = f"{self.image_size}×{self.image_size}"
        stem = "" if self.stem_stride == 2 else f" (stem stride {self.stem_stride})"
        return f"{count} training images of {self.data}, {side}{stem}"


_NETWORKS = ("mobilenet", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large")


def _widths(*alphas: float) -> tuple[tuple[str, float], ...]:
    return tuple(zip(_NETWORKS, alphas, strict=True))


QUICK = Setting(
    name="quick",
    data="digits",
    image_size=32,
    train_images=1024,
    test_images=None,
    alphas=_widths(0.25, 0.35, 0.35, 0.35),
    stem_stride=2,
    dense_weights="random",
    dense_epochs=10,
    tuning_epochs=2,
    batch_size=64,
    # at 0.1 MobileNetV2 learns nothing in so few steps
    dense_rate=0.05,
    tuning_rate=0.05,
    sparsities=(0.5, 0.9),
    sizes=(4, 16),
)

SMALL = Setting(
    name="small",
    data="cifar10",
    image_size=32,
    train_images=10000,
    test_images=None,
    alphas=_widths(0.35, 0.35, 0.35, 0.35),
    # with 2 the last layers would see a single pixel, and learn little
    stem_stride=1,
    dense_weights="random",
    dense_epochs=20,
    tuning_epochs=3,
    batch_size=128,
    dense_rate=0.05,
    tuning_rate=0.05,
    sparsities=(0.5, 0.75, 0.9),
    sizes=(2, 4, 8, 16, 32),
)

PAPERS = Setting(
    name="papers",
    data="",
    image_size=224,
    train_images=None,
    test_images=None,
    alphas=_widths(1.0, 1.0, 1.0, 1.0),
    stem_stride=2,
    dense_weights="imagenet",
    dense_epochs=0,
    tuning_epochs=90,
    batch_size=256,
    dense_rate=0.1,
    tuning_rate=0.1,
    sparsities=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    sizes=(2, 4, 8, 16, 32),
)

SETTINGS = {setting.name: setting for setting in (QUICK, SMALL, PAPERS)}


def plain(value: Any) -> Any:
    """Returns a dataclass as plain values for JSON.

    Fields that have their default are left out, so that results outlive new options.
    """
    if not dataclasses.is_dataclass(value):
        return json.loads(json.dumps(value))
    return {
        field.name: plain(own)
        for field in dataclasses.fields(value)
        if (own := getattr(value, field.name)) != field.default
    }


def digest(fields: Any) -> str:
    """Returns ten digits that differ where plain values do."""
    text = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
