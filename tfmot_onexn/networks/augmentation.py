"""Random changes to training images, the same whenever a training is repeated.

Each image's change depends on the seed, the epoch and its index alone, so a training
that goes on after an interruption sees the pixels it would have seen.

The paper (section 4.1) crops and flips. ``resized_crop_flip`` is how its code does so
on ImageNet: a part of 8 to 100 % of the area, with sides in a ratio of 3:4 to 4:3,
brought to full size. ``crop_flip`` is what the field does on CIFAR: a black border of
an eighth (4 pixels of 32), of which a square of the original size is cut.
"""

from collections.abc import Callable, Sequence

import numpy as np

from tfmot_onexn.networks.images import Box, Images

_AREA = (0.08, 1.0)
_RATIO = (3 / 4, 4 / 3)
_TRIES = 10
_SMALL = 64


def take(
    name: str,
    images: Images,
    indices: Sequence[int] | np.ndarray,
    *,
    seed: int,
    epoch: int,
) -> np.ndarray:
    """Returns changed images.

    Args:
      name: one of `NAMES`.
      images: where they come from.
      indices: of the images.
      seed: of the training.
      epoch: of the training, from 0.

    Returns:
      Pixels ``[len(indices), size, size, 3]`` as `Images.take` returns them.

    Raises:
      ValueError: if the name is unknown.
    """
    change = _AUGMENTATIONS[require_known(name)]
    # + 1: NumPy takes missing words of a seed for zeros
    rngs = [np.random.default_rng([seed, epoch, int(i) + 1]) for i in indices]
    return change(images, indices, rngs)


def require_known(name: str) -> str:
    """Returns the name of an augmentation; raises ValueError if there is none."""
    if name not in _AUGMENTATIONS:
        raise ValueError(
            f"Unknown augmentation {name!r}; choose one of {', '.join(NAMES)}."
        )
    return name


def usual(size: int) -> str:
    """Returns the augmentation that the field uses for photographs of a size."""
    return "crop_flip" if size <= _SMALL else "resized_crop_flip"


def random_box(rng: np.random.Generator, width: int, height: int) -> Box:
    """Draws a part of an image by area and ratio of its sides.

    The largest square in the middle takes its place where ten draws do not fit, as in
    images that are very long.
    """
    for _ in range(_TRIES):
        area = width * height * rng.uniform(*_AREA)
        ratio = np.exp(rng.uniform(*np.log(_RATIO)))
        wide, high = round(np.sqrt(area * ratio)), round(np.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left = int(rng.integers(0, width - wide, endpoint=True))
            top = int(rng.integers(0, height - high, endpoint=True))
            return (left, top, left + wide, top + high)
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return (left, top, left + side, top + side)


def _unchanged(images: Images, indices, rngs) -> np.ndarray:
    return images.take(indices)


def _crop_flip(images: Images, indices, rngs) -> np.ndarray:
    pixels = images.take(indices)
    border, size = round(images.size / 8), images.size
    padded = np.pad(pixels, ((0, 0), (border, border), (border, border), (0, 0)))
    result = np.empty_like(pixels)
    for target, source, rng in zip(result, padded, rngs, strict=True):
        top, left = rng.integers(0, 2 * border, 2, endpoint=True)
        target[:] = source[top : top + size, left : left + size]
    return _flip(result, rngs)


def _resized_crop_flip(images: Images, indices, rngs) -> np.ndarray:
    pixels = images.take(
        indices,
        lambda position, width, height: random_box(rngs[position], width, height),
    )
    return _flip(pixels, rngs)


def _flip(pixels: np.ndarray, rngs: Sequence[np.random.Generator]) -> np.ndarray:
    """Mirrors every other image or so from left to right, in place."""
    flipped = np.array([rng.random() < 0.5 for rng in rngs], bool)
    pixels[flipped] = pixels[flipped, :, ::-1]
    return pixels


_AUGMENTATIONS: dict[str, Callable[..., np.ndarray]] = {
    "none": _unchanged,
    "crop_flip": _crop_flip,
    "resized_crop_flip": _resized_crop_flip,
}
NAMES = tuple(_AUGMENTATIONS)
