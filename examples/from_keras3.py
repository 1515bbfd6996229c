"""Ships a stock Keras 3 MobileNetV2 with 1x16 blocks, pruned without training.

Run as ``python examples/from_keras3.py [--weights imagenet] [--output v2.tflite]``.
"""

import argparse
import os

import keras

import tfmot_onexn

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--weights", choices=["imagenet"], help="downloaded by Keras")
parser.add_argument("--output", default="v2.tflite")
arguments = parser.parse_args()

# What `tf.keras.applications.MobileNetV2()` gives in TensorFlow 2.16 and later.
model = keras.applications.MobileNetV2(weights=arguments.weights)
pruned = tfmot_onexn.prune_low_magnitude_1xN(
    tfmot_onexn.from_keras3(model), n=16, rearrange="l1"
)
final = tfmot_onexn.strip_pruning(pruned)
sparse = tfmot_onexn.convert_to_tflite(final, arguments.output)
dense = tfmot_onexn.convert_to_tflite(final, sparse=False)
print(
    f"{arguments.output}: {os.path.getsize(arguments.output) / 1e6:.2f} MB, "
    f"dense it would be {len(dense) / 1e6:.2f} MB."
)
