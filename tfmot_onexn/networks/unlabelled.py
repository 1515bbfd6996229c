"""Images without labels, to calibrate a network with."""

import os
import pathlib

import numpy as np

from tfmot_onexn.networks import folders, packs
from tfmot_onexn.networks.images import EncodedImages, Images


def load(
    source: str | os.PathLike, image_size: int, count: int, *, seed: int = 0
) -> np.ndarray:
    """Reads some images of a folder or an archive.

    Args:
      source: a folder with images in it, at any depth, or an `.npz` as `packs` reads,
        of which those to train on are taken.
      image_size: height and width to bring the images to, see `images.centre_box`.
      count: how many to read; all if there are fewer.
      seed: of the choice.

    Returns:
      Pixels from 0 to 255 ``[<= count, image_size, image_size, 3]``.

    Raises:
      ValueError: if there are none, or one cannot be read.
    """
    if count < 1:
        raise ValueError(f"At least 1 image is needed to calibrate, found {count}.")
    found = _find(pathlib.Path(source), image_size)
    rng = np.random.default_rng(seed)
    return found.take(np.sort(rng.permutation(len(found))[:count]))


def _find(source: pathlib.Path, image_size: int) -> Images:
    if source.suffix == ".npz" and source.is_file():
        return packs.load(source, image_size, 0).train_images
    if not source.is_dir():
        raise ValueError(
            f"No images at {source}. Give a folder of images or an .npz of images."
        )
    paths = sorted(
        os.path.join(folder, name)
        for folder, _, names in os.walk(source)
        for name in names
        if name.lower().endswith(folders.SUFFIXES)
    )
    if not paths:
        raise ValueError(
            f"No images in {source}: expected {', '.join(folders.SUFFIXES)} files in "
            "it or in folders below it."
        )
    return EncodedImages(paths, image_size)
