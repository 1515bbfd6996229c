"""1xN blocks on every kind of layer, from the wrapper to the file."""

import numpy as np
import pytest
import tf_keras
from graphs import batch, compiled, images, relative_error
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.sparsity import masks
from tfmot_onexn.tflite import flatbuffer, interpreter, kernels

N = 4


@tf_keras.utils.register_keras_serializable("test")
class Two(layers.Layer, tfmot.PrunableLayer):
    """A layer of one's own with two kernels, one of which is pruned."""

    def build(self, input_shape):
        self.first = self.add_weight("first", (input_shape[-1], 24))
        self.second = self.add_weight("second", (24, 8))

    def call(self, inputs):
        return (inputs @ self.first) @ self.second

    def get_prunable_weights(self):
        return [self.first]


# layer, which of its weights is pruned, in how many groups
KINDS = {
    "pointwise": (lambda: layers.Conv2D(24, 1), 0, 1),
    "window": (lambda: layers.Conv2D(24, 3, padding="same"), 0, 1),
    "narrow last row": (lambda: layers.Conv2D(22, 3), 0, 1),
    "conv1d": (lambda: layers.Conv1D(24, 3), 0, 1),
    "conv3d": (lambda: layers.Conv3D(24, 2), 0, 1),
    "dense": (lambda: layers.Dense(24), 0, 1),
    "separable": (lambda: layers.SeparableConv2D(24, 3), 1, 1),
    "separable1d": (lambda: layers.SeparableConv1D(24, 3), 1, 1),
    "grouped": (lambda: layers.Conv2D(24, 3, groups=3), 0, 3),
    "groups of 6": (lambda: layers.Conv2D(24, 1, groups=4), 0, 4),
    "own": (Two, 0, 1),
}
SHAPES = {"conv1d": (8, 12), "conv3d": (4, 4, 4, 12), "separable1d": (8, 12)}


def network(kind):
    x = image = layers.Input(SHAPES.get(kind, (8, 8, 12)))
    layer = KINDS[kind][0]()
    x = layers.Dense(4)(layers.Flatten()(layers.ReLU()(layer(x))))
    model = tf_keras.Model(image, x, name="kinds")
    return randomize(model), layer


def allow(layer):
    class Only(tfmot.PruningPolicy):
        def allow_pruning(self, one):
            return one.name == layer.name

        def ensure_model_supports_pruning(self, model):
            pass

    return Only()


def prune(model, layer, schedule):
    return tfmot_onexn.prune_low_magnitude_1xN(
        model, N, schedule, allow(layer), rearrange="none"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_one_shot_masks_are_those_of_numpy_and_reach_the_file(tmp_path, kind):
    model, layer = network(kind)
    _, index, groups = KINDS[kind]
    kernel = layer.get_weights()[index]
    final = tfmot_onexn.strip_pruning(prune(model, layer, tfmot_onexn.OneShot(0.5)))
    mask = masks.block_mask(kernel, N, 0.5, groups=groups)
    pruned = final.get_layer(layer.name).get_weights()[index]
    np.testing.assert_array_equal(pruned, kernel * mask)

    path = tmp_path / "kinds.tflite"
    tfmot_onexn.convert_to_tflite(final, path)
    x = images(model, 1)
    actual = interpreter.run(interpreter.load_interpreter(path), x)
    assert relative_error(actual, final(x)) <= 1e-5
    assert relative_error(actual, model(x)) > 1e-2
    if kind not in ("narrow last row", "groups of 6", "conv3d"):
        stored = kernels.read(flatbuffer.read_file(path))
        assert N in [each.n for each in stored]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("callback", [tfmot, tfmot_onexn])
def test_scheduled_masks_follow_the_weights(kind, callback):
    model, layer = network(kind)
    _, index, groups = KINDS[kind]
    schedule = tfmot.ConstantSparsity(0.5, 2, frequency=1)
    pruned = compiled(prune(model, layer, schedule))
    pruned.optimizer.learning_rate.assign(0.0)
    x, y = batch(model, 8)
    pruned.fit(x, y, batch_size=2, verbose=0, callbacks=[callback.UpdatePruningStep()])
    mask = masks.block_mask(layer.get_weights()[index], N, 0.5, groups=groups)
    final = tfmot_onexn.strip_pruning(pruned).get_layer(layer.name)
    np.testing.assert_array_equal(final.get_weights()[index] != 0, mask)
