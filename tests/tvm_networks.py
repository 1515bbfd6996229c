"""Networks for TVM builds, whose output is their last feature map."""

import functools

import numpy as np
import tf_keras

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.tflite import convert, interpreter

_BUILDERS = {
    "mobilenet": (tf_keras.applications.MobileNet, {"alpha": 0.25}),
    "mobilenet_v2": (tf_keras.applications.MobileNetV2, {"alpha": 0.35}),
    "mobilenet_v3_small": (tf_keras.applications.MobileNetV3Small, {}),
    "mobilenet_v3_large": (tf_keras.applications.MobileNetV3Large, {"alpha": 0.75}),
    "resnet50": (tf_keras.applications.ResNet50, {}),
}
NAMES = tuple(_BUILDERS)
SIZE = 64


@functools.cache
def network(name, top=False):
    """A network with random weights and statistics."""
    build, options = _BUILDERS[name]
    shape = {"input_shape": (SIZE, SIZE, 3)} if not top else {}
    model = build(weights=None, include_top=top, **shape, **options)
    return randomize(model)


def file_of(folder, name, n=None, sparsity=0.5, **options):
    """Writes a network, pruned with blocks of n, as a `.tflite` file."""
    path = folder / f"{name}_{n}.tflite"
    path.write_bytes(_content(name, n, sparsity, **options))
    return path


@functools.cache
def _content(name, n, sparsity, **options):
    model = network(name)
    if n is not None:
        chosen = policy.PruneConvolutions()
        wrapped = prune.prune_low_magnitude_1xN(
            model, n, OneShot(sparsity), chosen, rearrange="none"
        )
        model = prune.strip_pruning(wrapped)
    return convert.convert_to_tflite(model, **options)


def image(shape=(1, SIZE, SIZE, 3), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def stock(path, x):
    """What the stock runtime computes."""
    loaded = interpreter.load_interpreter(path, delegate=False)
    return interpreter.run_once(loaded, x)


def error(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()
