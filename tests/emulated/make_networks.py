"""Writes networks for emulated machines, and what this machine makes of them.

Each of Keras' MobileNets is stored sparse and dense, as it is and prepared for XNNPACK.
"""

import pathlib
import sys
import warnings

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import sparse_networks

import tfmot_onexn
from tfmot_onexn.networks import models
from tfmot_onexn.networks.random_weights import random_images
from tfmot_onexn.tflite import interpreter

# width multipliers, the smallest of Keras' pretrained weights, and N
_NETWORKS = {
    "mobilenet": (0.25, 4),
    "mobilenet_v2": (0.35, 8),
    "mobilenet_v3_small": (0.75, 4),
    "mobilenet_v3_large": (0.75, 16),
}


def network(name: str):
    """A MobileNet with logits; 3/4 of its 1x1 kernels are zeros, in 1xN blocks."""
    alpha, n = _NETWORKS[name]
    model = models.NETWORKS[name](
        input_shape=(96, 96, 3),
        alpha=alpha,
        weights=None,
        classes=16,
        classifier_activation=None,
    )
    return sparse_networks.pruned(model, 0.75, n)


def write(folder: pathlib.Path, name: str, model, **options) -> None:
    """Writes both files of a network, an image and the dense one's result."""
    tfmot_onexn.convert_to_tflite(model, folder / f"{name}.sparse.tflite", **options)
    dense = folder / f"{name}.dense.tflite"
    tfmot_onexn.convert_to_tflite(model, dense, sparse=False)
    image = np.asarray(random_images(model, 1), np.float32)
    loaded = interpreter.load_interpreter(dense, delegate=False)
    expected = interpreter.run_once(loaded, image)
    np.savez(folder / f"{name}.npz", image=image, expected=expected)


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("error", category=UserWarning)
    for name in _NETWORKS:
        model = network(name)
        prepared = tfmot_onexn.prepare_for_xnnpack(model)
        write(folder, f"{name}-prepared", prepared, for_xnnpack=True)
        write(folder, f"{name}-plain", model)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
