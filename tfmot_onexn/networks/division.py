"""Divides images into those to train on and those to test on."""

import numpy as np


def divide(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Holds a fifth of the images of every class back, by a seed.

    Where classes have too few images for that, as one of each, the images alternate:
    the first is to train on or to calibrate with, the second to test on.

    Args:
      labels: int64 ``[count]``.
      seed: of the choice.

    Returns:
      Indices to train on and indices to test on.
    """
    from sklearn.model_selection import train_test_split

    indices = np.arange(labels.size)
    counts = np.unique(labels, return_counts=True)[1]
    if counts.min() < 2 or -(-labels.size // 5) < counts.size:
        return indices[::2], indices[1::2]
    return tuple(
        train_test_split(indices, test_size=0.2, random_state=seed, stratify=labels)
    )
