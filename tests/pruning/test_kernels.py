import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.kernels import ModelKernels
from tfmot_onexn.pruning.schedule import OneShot

EVERYTHING = policy.PruneAll()


def kernels_of(model):
    return {kernel.name: kernel for kernel in ModelKernels(model).read()}


def model_of(*chain, shape):
    x = image = layers.Input(shape)
    for layer in chain:
        x = layer(x)
    return tf_keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "name", "shape", "operator"),
    [
        (layers.Conv2D(8, 3, name="c"), "c", (3, 3, 4, 8), "CONV_2D"),
        (layers.Conv2D(8, 3, groups=2, name="c"), "c", (3, 3, 2, 8), "CONV_2D"),
        (layers.Dense(8, name="c"), "c", (4, 8), "FULLY_CONNECTED"),
        (
            layers.EinsumDense("abcd,de->abce", (8, 8, 8), name="c"),
            *("c", (4, 8), "FULLY_CONNECTED"),
        ),
        (
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="c"),
            *("c", (3, 3, 8, 1), "DEPTHWISE_CONV_2D"),
        ),
        (
            layers.SeparableConv2D(8, 3, name="c"),
            *("c/depthwise_kernel", (3, 3, 4, 1), "DEPTHWISE_CONV_2D"),
        ),
        (
            layers.SeparableConv2D(8, 3, name="c"),
            *("c/pointwise_kernel", (1, 1, 4, 8), "CONV_2D"),
        ),
        (layers.Conv2DTranspose(8, 3, name="c"), "c", (3, 3, 4, 8), "TRANSPOSE_CONV"),
    ],
)
def test_each_kind_of_kernel_is_read(layer, name, shape, operator):
    kernel = kernels_of(model_of(layer, shape=(8, 8, 4)))[name]
    assert (kernel.kernel.shape, kernel.operator) == (shape, operator)


@pytest.mark.parametrize(
    ("layer", "shape", "operator"),
    [
        (layers.Conv1D(8, 3, name="c"), (3, 4, 8), "CONV_2D"),
        (layers.Conv1DTranspose(8, 3, name="c"), (3, 4, 8), "TRANSPOSE_CONV"),
        (layers.DepthwiseConv1D(3, name="c"), (3, 4, 1), "DEPTHWISE_CONV_2D"),
    ],
)
def test_each_kind_of_kernel_on_a_line_is_read(layer, shape, operator):
    kernel = kernels_of(model_of(layer, shape=(8, 4)))["c"]
    assert (kernel.kernel.shape, kernel.operator) == (shape, operator)


def test_kernels_in_three_dimensions_are_read():
    chain = [layers.Conv3D(2, 3, name="c"), layers.Conv3DTranspose(5, 3, name="t")]
    found = kernels_of(model_of(*chain, shape=(6, 6, 6, 4)))
    assert found["c"].operator == "CONV_3D"
    assert found["t"].operator == "CONV_3D_TRANSPOSE"
    assert found["t"].kernel.shape == (3, 3, 3, 2, 5)


def test_a_transposed_kernel_has_its_axes_in_order():
    layer = layers.Conv2DTranspose(8, 3, name="c")
    kernel = kernels_of(model_of(layer, shape=(8, 8, 4)))["c"].kernel
    np.testing.assert_array_equal(kernel[0, 0, 1, 2], layer.kernel.numpy()[0, 0, 2, 1])


class Gated(layers.Layer):
    """A layer of two kernels of its own, as tfmot lets users write them."""

    def build(self, input_shape):
        self.first = self.add_weight("first", (input_shape[-1], 6))
        self.second = self.add_weight("second", (input_shape[-1], 6))
        self.offset = self.add_weight("offset", (2, 6))

    def get_prunable_weights(self):
        return [self.first, self.second]

    def call(self, inputs):
        return tf.matmul(inputs, self.first) * tf.matmul(inputs, self.second)


def test_a_layer_that_names_its_weights_has_a_row_for_each():
    model = model_of(Gated(name="gate"), shape=(5, 4))
    found = kernels_of(model)
    assert list(found) == ["gate/first", "gate/second"]
    assert found["gate/first"].operator == "FULLY_CONNECTED"
    assert found["gate/first"].macs == 5 * 4 * 6
    assert ModelKernels(model).unlisted == ("gate (Gated)",)


@pytest.mark.parametrize("with_tfmot", [False, True])
def test_masked_weights_count_as_zero_before_they_are(with_tfmot):
    model = randomize(small_network())
    if with_tfmot:
        wrapped = tfmot.prune_low_magnitude(model, tfmot.ConstantSparsity(0.5, 0))
    else:
        wrapped = prune.prune_weights(model, OneShot(0.5), EVERYTHING)
    for layer in wrapped.layers:
        for weight, mask, _ in getattr(layer, "pruning_vars", []):
            half = np.arange(np.prod(weight.shape)) % 2
            mask.assign(half.reshape(weight.shape).astype(np.float32))
            weight.assign(tf.ones_like(weight))
    found = kernels_of(wrapped)
    expected = [
        *("stem", "expand", "depthwise", "project", "head", "classifier"),
    ]
    assert list(found) == expected
    for name in ("stem", "expand", "classifier"):
        assert np.count_nonzero(found[name].kernel) == found[name].kernel.size // 2
        assert found[name].kernel.max() == 1


def test_names_tell_nested_models_apart():
    def inner(name):
        layer = layers.Conv2D(4, 1, name="conv")
        image = layers.Input((8, 8, 4))
        return tf_keras.Model(image, layer(image), name=name)

    model = model_of(inner("first"), inner("second"), shape=(8, 8, 4))
    pruned = prune.prune_low_magnitude_1xN(model, 4, pruning_policy=EVERYTHING)
    for either in (model, pruned):
        assert list(kernels_of(either)) == ["first/conv", "second/conv"]


def test_a_shared_layer_has_one_row():
    shared = layers.Conv2D(4, 1, name="shared")
    model = model_of(shared, layers.MaxPooling2D(), shared, shape=(8, 8, 4))
    assert [kernel.macs for kernel in ModelKernels(model).read()] == [(64 + 16) * 16]


def test_block_rows_that_are_narrower_are_noted():
    narrow, last = layers.Conv2D(6, 1, name="narrow"), layers.Conv2D(20, 1, name="last")
    grouped = layers.Conv2D(12, 1, groups=2, name="grouped")
    model = model_of(narrow, last, grouped, shape=(8, 8, 4))
    pruned = prune.prune_low_magnitude_1xN(
        model, 8, pruning_policy=EVERYTHING, rearrange="none"
    )
    found = kernels_of(pruned)
    assert found["narrow"].notes == ("N = 8 > 6 channels: one narrow block row",)
    assert found["last"].notes == (
        "N = 8 does not divide 20 channels: the last block row has 4",
    )
    assert found["grouped"].notes == (
        "N = 8 > 6 channels of a group: one narrow block row",
    )
    weights = prune.prune_weights(model, pruning_policy=EVERYTHING)
    assert not any(kernel.notes for kernel in ModelKernels(weights).read())


def test_what_holds_channels_is_said_at_the_layer_that_makes_them():
    image = layers.Input((8, 8, 3))
    x = layers.Conv2D(8, 1, name="free")(image)
    x = layers.SeparableConv2D(8, 3, name="separable")(x)
    x = layers.LayerNormalization(name="norm")(x)
    model = tf_keras.Model(image, layers.Conv2D(4, 1, name="last")(x))
    found = kernels_of(model)
    assert found["free"].pinned == found["free"].kept == ()
    assert found["last"].pinned == ("is a feature map that the model returns",)
    assert found["separable/depthwise_kernel"].kept == ()
    (reason,) = found["separable/pointwise_kernel"].kept
    assert reason.startswith("norm ")


def test_a_layer_that_cannot_be_followed_is_named():
    class Shuffle(layers.Layer):
        def call(self, inputs):
            return inputs[..., ::-1]

    chain = [layers.Conv2D(8, 1, name="before"), Shuffle(name="mixer")]
    model = model_of(*chain, layers.Conv2D(2, 1), shape=(4, 4, 3))
    line = "mixer (Shuffle): no rule for this kind of layer"
    assert ModelKernels(model).untraced == (line,)
    assert kernels_of(model)["before"].pinned == (f"touches {line}",)


def test_a_model_is_read_as_far_as_it_is_built():
    model = tf_keras.Sequential(
        [layers.Dense(4, name="built"), layers.Dense(2), layers.DepthwiseConv2D(3)]
    )
    model.layers[0].build((None, 3))
    reader = ModelKernels(model)
    (only,) = reader.read()
    assert (only.name, only.kernel.shape, only.macs) == ("built", (3, 4), None)
    assert "has no graph" in reader.untraced[0]


def test_layers_of_a_subclassed_model_are_read():
    class Own(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = tfmot_onexn.prune_low_magnitude_1xN(
                layers.Dense(8, name="dense"), 4
            )

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    model(tf.zeros((2, 4)))
    found = kernels_of(model)
    assert found["dense"].macs == 32
    assert np.count_nonzero(found["dense"].kernel) == 16


def test_metrics_and_training_add_nothing():
    model = randomize(small_network())
    expected = list(kernels_of(model))
    model.compile("sgd", "mse", metrics=[tf_keras.metrics.AUC(3, multi_label=True)])
    images, labels = batch(model, 4)
    model.evaluate(images, tf.one_hot(labels, 4), verbose=0)
    assert list(kernels_of(model)) == expected
    assert ModelKernels(model).unlisted == ()
