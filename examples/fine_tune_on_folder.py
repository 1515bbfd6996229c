"""Fine-tunes and prunes a MobileNet on a folder of images, and ships it.

Run as ``python examples/fine_tune_on_folder.py FOLDER [--weights imagenet]``, where
FOLDER holds one folder of images per class. A fifth of them is held back as a test.
"""

import argparse

import tf_keras

import tfmot_onexn
from tfmot_onexn.benchmark import accuracy
from tfmot_onexn.networks import datasets, models
from tfmot_onexn.networks.recipe import Recipe
from tfmot_onexn.pruning.fine_tune import fine_tune

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder")
parser.add_argument("--weights", choices=["imagenet"], help="downloaded by Keras")
parser.add_argument("--size", type=int, default=224, help="of the images")
parser.add_argument("--alpha", type=float, default=1.0, help="width multiplier")
parser.add_argument("--n", type=int, default=8, help="output channels per block")
parser.add_argument("--sparsity", type=float, default=0.5)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--output", default="folder.tflite")
arguments = parser.parse_args()

# The same weights and the same batches each time.
tf_keras.utils.set_random_seed(0)

# A known network with a new classifier for the classes of the folder.
data = datasets.load(arguments.folder, arguments.size)
base = tf_keras.applications.MobileNet(
    input_shape=data.image_shape,
    alpha=arguments.alpha,
    include_top=False,
    pooling="avg",
    weights=arguments.weights,
)
scores = tf_keras.layers.Dense(data.classes, activation="softmax")(base.output)
model = tf_keras.Model(base.input, scores)
models.set_batch_norm_momentum(model, 0.9)

# While it learns them, blocks go over the first half of the training.
steps = arguments.epochs * -(-len(data.train_labels) // arguments.batch_size)
pruned = tfmot_onexn.prune_low_magnitude_1xN(
    model,
    n=arguments.n,
    pruning_schedule=tfmot_onexn.PolynomialDecay(
        0.0, arguments.sparsity, 0, steps // 2, frequency=max(1, steps // 20)
    ),
)
recipe = Recipe(arguments.epochs, arguments.batch_size, learning_rate=0.05)
fine_tune(pruned, data, recipe, verbose=2)

final = tfmot_onexn.strip_pruning(pruned)
sparse = tfmot_onexn.convert_to_tflite(final, arguments.output)
dense = tfmot_onexn.convert_to_tflite(final, sparse=False)
found = accuracy.of_file(arguments.output, data)
print(
    f"{arguments.output}: {len(sparse) / 1e6:.2f} MB, dense it would be "
    f"{len(dense) / 1e6:.2f} MB; knows {found.top1:.1%} of {found.images} test images."
)
