"""Reads images from folders, one per class."""

import os
import pathlib

import numpy as np

from tfmot_onexn.networks import augmentation
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.networks.division import divide
from tfmot_onexn.networks.images import EncodedImages

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
_TEST_FOLDERS = ("test", "val", "validation")


def load(root: pathlib.Path, image_size: int, seed: int) -> Dataset:
    """Finds the images in ``class/*.jpg``, perhaps below ``train`` and ``test``.

    They are decoded when a batch needs them.

    Args:
      root: of the classes, or of ``train`` and one of ``test``, ``val`` and
        ``validation``.
      image_size: height and width to bring the images to.
      seed: of the division where there is no such folder.

    Raises:
      ValueError: if a class has no images or the two parts have other classes.
    """
    train = root / "train"
    tests = [root / name for name in _TEST_FOLDERS if (root / name).is_dir()]
    if train.is_dir() and tests:
        paths, labels, names = _find(train)
        test_paths, test_labels, test_names = _find(tests[0])
        if test_names != names:
            only_one = sorted({*names} ^ {*test_names})
            raise ValueError(
                f"{train} and {tests[0]} do not have the same classes: only one of "
                f"them has {', '.join(only_one[:5])}."
            )
    else:
        all_paths, all_labels, names = _find(root)
        chosen, held_out = divide(all_labels, seed)
        paths, labels = [all_paths[i] for i in chosen], all_labels[chosen]
        test_paths, test_labels = [all_paths[i] for i in held_out], all_labels[held_out]
    return Dataset(
        root.name,
        EncodedImages(paths, image_size),
        labels,
        EncodedImages(test_paths, image_size),
        test_labels,
        len(names),
        tuple(names),
        augmentation=augmentation.usual(image_size),
    )


def _find(root: pathlib.Path) -> tuple[list[str], np.ndarray, list[str]]:
    """Returns the paths, labels and classes of the images below a folder."""
    classes = sorted(
        entry.name
        for entry in os.scandir(root)
        if entry.is_dir() and not entry.name.startswith(".")
    )
    paths: list[str] = []
    counts = []
    for name in classes:
        found = sorted(
            entry.path
            for entry in os.scandir(root / name)
            if entry.name.lower().endswith(SUFFIXES) and entry.is_file()
        )
        paths += found
        counts.append(len(found))
    if 0 in counts or not classes:
        folder = root / classes[counts.index(0)] if classes else root
        raise ValueError(
            f"No images in {folder}: expected one folder per class in {root}, each "
            f"with {', '.join(SUFFIXES)} files; found {len(classes)} folders with "
            f"{len(paths)} images."
        )
    return paths, np.repeat(np.arange(len(classes)), counts), classes
