import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers
from tf_keras.src.applications import convnext


@pytest.mark.parametrize(
    ("layer", "rank"),
    [
        (layers.ReLU(6.0), 2),
        (layers.LeakyReLU(), 2),
        (layers.ELU(), 2),
        (layers.ThresholdedReLU(), 2),
        (layers.PReLU(), 2),
        (layers.PReLU(shared_axes=[1, 2]), 2),
        (layers.PReLU(shared_axes=[1, 2, 3]), 2),
        (layers.PReLU(), 1),
        (layers.Identity(), 2),
        (layers.Dropout(0.5), 2),
        (layers.SpatialDropout1D(0.5), 1),
        (layers.SpatialDropout2D(0.5), 2),
        (layers.SpatialDropout3D(0.5), 3),
        (layers.ZeroPadding1D(1), 1),
        (layers.ZeroPadding2D(1), 2),
        (layers.ZeroPadding3D(1), 3),
        (layers.Cropping1D(1), 1),
        (layers.Cropping2D(1), 2),
        (layers.Cropping3D(1), 3),
        (layers.UpSampling1D(2), 1),
        (layers.UpSampling2D(2, interpolation="bilinear"), 2),
        (layers.UpSampling3D(2), 3),
        (layers.MaxPooling1D(2), 1),
        (layers.MaxPooling2D(2), 2),
        (layers.MaxPooling3D(2), 3),
        (layers.AveragePooling1D(2), 1),
        (layers.AveragePooling2D(2), 2),
        (layers.AveragePooling3D(2), 3),
        (layers.GlobalAveragePooling1D(), 1),
        (layers.GlobalAveragePooling2D(keepdims=True), 2),
        (layers.GlobalAveragePooling3D(), 3),
        (layers.GlobalMaxPooling1D(), 1),
        (layers.GlobalMaxPooling2D(), 2),
        (layers.GlobalMaxPooling3D(keepdims=True), 3),
        (layers.Resizing(4, 4), 2),
        (layers.CenterCrop(4, 4), 2),
        (layers.RandomFlip(), 2),
        (layers.Activation("swish"), 2),
        (layers.Activation(tf.nn.relu6), 2),
        (layers.Activation(layers.LeakyReLU(0.3)), 2),
        (layers.Rescaling(0.5), 2),
        (convnext.StochasticDepth(0.1), 2),
    ],
)
def test_channels_pass_in_any_order(passes, layer, rank):
    passes(layer, rank)


@pytest.mark.parametrize(
    "layer",
    [
        layers.Activation("sigmoid"),
        layers.Activation("softplus"),
        layers.Activation("softmax"),
        layers.Softmax(),
        layers.Rescaling(1.0, offset=0.5),
        convnext.LayerScale(0.5, 8),
    ],
)
def test_channels_that_cannot_be_removed_can_be_reordered(moves_only, layer):
    assert moves_only(layer).size == 8


def test_what_is_set_for_each_channel_stays(stays):
    found = stays(layers.Rescaling(np.arange(1.0, 9.0), name="each"))
    assert found.pinned == ("each has a scale for each channel",)


@tf_keras.utils.register_keras_serializable("test")
def backwards(x):
    return x[..., ::-1]


def test_an_odd_activation_is_named(stays):
    why = "odd has the activation backwards, which may mix channels"
    found = stays(layers.Activation(backwards, name="odd"))
    assert found.pinned == (why,)
    assert found.untraced == (why,)


def test_channels_first_is_not_followed(verdict_on):
    layer = layers.ZeroPadding2D(1, data_format="channels_first", name="first")
    found = verdict_on(layer)
    assert found.pinned
    assert found.untraced == ("first (ZeroPadding2D): channels_first",)
