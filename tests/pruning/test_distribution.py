"""Training on several devices, which must be set up before TensorFlow starts."""

import pathlib
import subprocess
import sys

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one])
import tensorflow_model_optimization as tfmot
import tfmot_onexn
from graphs import batch, compiled, small_network
from tfmot_onexn.pruning.masking import MaskingWrapper

def train(prune, callback):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = compiled(prune(small_network()))
    x, y = batch(model, 32)
    model.fit(x, y, 8, 2, verbose=0, callbacks=[callback])
    wrappers = [x for x in model.layers if isinstance(x, MaskingWrapper)]
    kernels = [w.layer.kernel.numpy() for w in wrappers if hasattr(w.layer, "kernel")]
    steps = {{int(wrapper.pruning_step.numpy()) for wrapper in wrappers}}
    tfmot_onexn.convert_to_tflite(model)
    return [float((kernel == 0).mean()) for kernel in kernels], steps

schedule = tfmot_onexn.PolynomialDecay(0.0, 0.5, 1, 5, frequency=2)
onexn = tfmot_onexn.prune_low_magnitude_1xN
ours = train(lambda m: onexn(m, 4, schedule), tfmot_onexn.UpdatePruningStep())
theirs = train(
    lambda m: onexn(m, 4, schedule), tfmot.sparsity.keras.UpdatePruningStep()
)
assert ours == theirs == ([0.5, 0.5, 0.5], {{8}}), (ours, theirs)
once = train(onexn, tfmot_onexn.UpdatePruningStep())
assert once == ([0.5, 0.5, 0.5], {{-1}}), once
filters = train(
    lambda m: tfmot_onexn.prune_filters(m, schedule), tfmot_onexn.UpdatePruningStep()
)
assert filters == ([0.5, 0.5], {{8}}), filters
"""


def test_masks_follow_their_schedule_on_mirrored_devices():
    tests = str(pathlib.Path(__file__).parents[1])
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=tests)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
