"""Prunes a small MobileNet that knows handwritten digits, and ships it.

Run as ``python examples/prune_and_convert.py [--epochs 10] [--output digits.tflite]``.
"""

import argparse

import tfmot_onexn
from tfmot_onexn.networks import datasets, models

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--output", default="digits.tflite")
arguments = parser.parse_args()

# Any functional or Sequential tf_keras classifier will do.
data = datasets.digits()
model = models.build(
    "mobilenet", input_shape=data.image_shape, alpha=0.25, classes=data.classes
)
models.set_batch_norm_momentum(model, 0.9)
training = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
model.compile("adam", **training)
model.fit(data.train_batches(64), epochs=arguments.epochs)

# Blocks of 8 output channels; half of them go over the first half of the training.
steps = arguments.epochs * len(data.train_batches(64))
schedule = tfmot_onexn.PolynomialDecay(0.0, 0.5, 0, steps // 2, frequency=10)
pruned = tfmot_onexn.prune_low_magnitude_1xN(model, n=8, pruning_schedule=schedule)
pruned.compile("adam", **training)
pruned.fit(
    data.train_batches(64),
    epochs=arguments.epochs,
    callbacks=[tfmot_onexn.UpdatePruningStep()],
)

final = tfmot_onexn.strip_pruning(pruned)
tfmot_onexn.summary(final)
tfmot_onexn.convert_to_tflite(final, arguments.output)

interpreter = tfmot_onexn.load_interpreter(arguments.output)
right = 0
for image, label in data.test_batches(1):
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    right += int(scores.argmax() == label[0])
print(f"{arguments.output} knows {right} of {len(data.test_labels)} test images.")
