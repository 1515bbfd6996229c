"""Prunes, converts and runs a small network with the package as it is installed.

    python smoke.py FOLDER

It needs nothing beside the package, and fails where the delegate takes no layer
or computes something else than the dense network.
"""

import pathlib
import platform
import sys

import numpy as np
import tf_keras

import tfmot_onexn
from tfmot_onexn.networks.random_weights import random_images, randomize
from tfmot_onexn.tflite import delegate_verdicts


def network():
    layers = tf_keras.layers
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, 2, activation="relu6")(image)
    x = layers.Conv2D(64, 1, activation="relu6")(x)
    x = layers.DepthwiseConv2D(3, activation="relu6")(x)
    x = layers.Conv2D(64, 1, activation="relu6")(x)
    return randomize(tf_keras.Model(image, layers.GlobalAveragePooling2D()(x)))


def output(path, image, **options):
    loaded = tfmot_onexn.load_interpreter(path, **options)
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    return loaded.get_tensor(loaded.get_output_details()[0]["index"])


def main(folder: pathlib.Path) -> None:
    package = pathlib.Path(tfmot_onexn.__file__).resolve().parent
    if package.parent == pathlib.Path(__file__).resolve().parents[2]:
        sys.exit(f"{package} is the checkout, not an installed package")
    wrapped = tfmot_onexn.prune_low_magnitude_1xN(
        network(), 8, tfmot_onexn.OneShot(0.75)
    )
    model = tfmot_onexn.strip_pruning(wrapped)
    sparse, dense = folder / "sparse.tflite", folder / "dense.tflite"
    tfmot_onexn.convert_to_tflite(model, sparse)
    tfmot_onexn.convert_to_tflite(model, dense, sparse=False)
    image = np.asarray(random_images(model, 1), np.float32)
    options = {"cost_gate": "off"}
    found = output(sparse, image, delegate=options)
    expected = output(dense, image, delegate=False)
    error = float(np.abs(found - expected).max() / np.abs(expected).max())
    verdicts = delegate_verdicts.read(sparse, options=options)
    taken = sum(verdict.claimed for verdict in verdicts)
    print(
        f"{platform.machine()}, {tfmot_onexn.__file__}: the delegate took {taken} "
        f"layers, {error:.1e} to the dense file"
    )
    if not taken or not error < 1e-5 or np.ptp(expected) < 1e-2:
        sys.exit("The delegate is of no use here.")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
