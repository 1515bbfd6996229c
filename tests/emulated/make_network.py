"""Writes a pruned MobileNetV2, an image, and what this machine makes of it."""

import pathlib
import sys

import numpy as np

import tfmot_onexn
from tfmot_onexn.networks.random_weights import random_images, randomize
from tfmot_onexn.sparsity import masks


def network():
    """MobileNetV2 without a head; 3/4 of its 1x1 kernels are zeros, in 1x8 blocks."""
    import tf_keras

    model = tf_keras.applications.MobileNetV2(
        (96, 96, 3), alpha=0.35, include_top=False, weights=None
    )
    randomize(model)
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
            continue
        if getattr(layer, "kernel_size", None) == (1, 1):
            weights = layer.get_weights()
            weights[0] *= masks.Pattern("block", 8).mask(weights[0], 0.75)
            layer.set_weights(weights)
    return model


def main(folder: pathlib.Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = network()
    path = folder / "network.tflite"
    tfmot_onexn.convert_to_tflite(model, path)
    image = np.asarray(random_images(model, 1), np.float32)
    loaded = Interpreter(str(path))
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    np.savez(
        folder / "network.npz",
        image=image,
        expected=loaded.get_tensor(loaded.get_output_details()[0]["index"]),
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
