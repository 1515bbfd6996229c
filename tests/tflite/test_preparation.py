import numpy as np
import pytest
import tf_keras
from sparse_networks import pruned
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn.networks import models
from tfmot_onexn.networks.random_weights import random_images, randomize
from tfmot_onexn.tflite import convert, inventory, preparation

SIZE = 64


@pytest.fixture(scope="module", params=models.NETWORKS)
def network(request):
    """A network with four fifths of its 1x1 kernels zero."""
    name = request.param
    if name == "resnet50":
        pytest.skip("has convolutions that XNNPACK has no sparse kernels near")
    alpha = 0.75 if "v3" in name else 0.25
    model = models.NETWORKS[name](
        input_shape=(SIZE, SIZE, 3), alpha=alpha, weights=None, classes=20
    )
    return pruned(model)


def features(model):
    """A network up to its mean, which a pixel moves; behind it hardly anything does."""
    pool = next(
        layer
        for layer in reversed(model.layers)
        if isinstance(layer, layers.GlobalAveragePooling2D)
    )
    return tf_keras.Model(model.input, pool.input)


def difference(found, wanted):
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def verdict(model, **options):
    """What stock runtimes on ARM would do with a file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert, "_warn", lambda *arguments: None)
        content = convert.convert_to_tflite(model, **options)
    return inventory.of_content(content).verdicts["arm64"].word


def test_stock_runtimes_would_run_it_sparse(network):
    assert verdict(network) == "dense"
    prepared = preparation.prepare_for_xnnpack(network)
    assert preparation.changes(prepared) == []
    assert verdict(prepared, for_xnnpack=True) == "sparse"


def test_the_converter_prepares_where_it_may():
    model = models.NETWORKS["mobilenet"](
        input_shape=(SIZE, SIZE, 3), alpha=0.25, weights=None, classes=20
    )
    assert verdict(pruned(model), for_xnnpack=True, allow_shift=True) == "sparse"


def test_few_layers_move(network):
    shifts = [c.layer for c in preparation.changes(network) if not c.exact]
    wide = [
        layer.name
        for layer in network.layers
        if isinstance(layer, layers.DepthwiseConv2D)
        and (layer.kernel_size, layer.strides) == ((5, 5), (2, 2))
    ]
    assert shifts[1:] == wide
    assert len(wide) == (2 if "v3" in network.name.lower() else 0)


@pytest.mark.parametrize("network", ["mobilenet", "mobilenet_v2"], indirect=True)
def test_all_but_the_shifts_is_exact(network):
    """On an image that is moved as the first layer's grid is."""
    images = random_images(network, 2)
    # nothing to see near the border, where a moved image loses a row
    images[:, :5] = images[:, -5:] = images[:, :, :5] = images[:, :, -5:] = 0
    moved = np.roll(images, (-1, -1), axis=(1, 2))
    prepared = features(preparation.prepare_for_xnnpack(network))
    wanted = features(network).predict_on_batch(images)
    assert difference(prepared.predict_on_batch(moved), wanted) < 1e-5
    # and the check can tell
    assert difference(prepared.predict_on_batch(images), wanted) > 1e-4


def images_of(size=16):
    return layers.Input((size, size, 3))


@pytest.mark.parametrize("size", [15, 16, 17])
@pytest.mark.parametrize("padding", ["same", ((0, 1), (0, 1)), ((1, 0), (0, 1)), 1])
def test_windows_are_widened_to_the_same_result(size, padding):
    x = image = images_of(size)
    if padding != "same":
        x = layers.ZeroPadding2D(padding, name="around")(x)
    depthwise = layers.DepthwiseConv2D(
        3, 2, "same" if padding == "same" else "valid", name="depthwise"
    )
    model = tf_keras.Model(image, depthwise(x))
    randomize(model)
    changes = preparation.changes(model)
    prepared = preparation.prepare_for_xnnpack(model)
    images = random_images(model, 2)
    assert prepared.output_shape == model.output_shape
    difference_made = difference(
        prepared.predict_on_batch(images), model.predict_on_batch(images)
    )
    assert all(change.exact for change in changes) == (difference_made < 1e-5)
    # an even padding would make another row of a size that is odd already
    stays = padding == 1 or (padding != "same" and size % 2)
    even = stays or (padding == "same" and size % 2)
    assert len(changes) == (not stays)
    assert prepared.get_layer("depthwise").kernel_size == ((3, 3) if even else (5, 5))


def test_a_wide_window_moves_and_says_so():
    image = images_of()
    x = layers.ZeroPadding2D(((1, 2), (1, 2)))(image)
    model = tf_keras.Model(image, layers.DepthwiseConv2D(5, 2, name="wide")(x))
    (change,) = preparation.changes(model)
    assert (change.layer, change.exact) == ("wide", False)
    assert change.text == (
        "padded by 2 on each side, which moves its sampling grid by a pixel"
    )
    assert preparation.prepare_for_xnnpack(model).output_shape == model.output_shape


def head(x, end=True):
    x = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(x)
    x = layers.Conv2D(8, 1, activation="relu", name="hidden")(x)
    x = layers.BatchNormalization(axis=3, name="norm")(x)
    x = layers.Multiply()([x, layers.ReLU(6.0)(x + 3.0) * (1 / 6)])
    x = layers.Conv2D(5, 1, name="logits")(layers.Dropout(0.5)(x))
    return layers.Reshape((5,))(x) if end else x


def test_a_head_that_keeps_axes_becomes_dense():
    image = images_of()
    model = tf_keras.Model(image, head(image))
    randomize(model)
    prepared = preparation.prepare_for_xnnpack(model)
    assert not prepared.get_layer("pool").keepdims
    assert isinstance(prepared.get_layer("logits"), layers.Dense)
    images = random_images(model, 2)
    wanted = model.predict_on_batch(images)
    assert difference(prepared.predict_on_batch(images), wanted) < 1e-5


def gate(x):
    """Squeeze and excite, whose mean meets feature maps again."""
    scale = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Multiply()([x, layers.Conv2D(3, 1, activation="sigmoid")(scale)])


@pytest.mark.parametrize(
    "rest",
    [
        lambda x: head(x, end=False),
        gate,
        lambda x: layers.GlobalAveragePooling2D()(x),
        lambda x: layers.Conv2D(4, 3, 2)(x),
        lambda x: layers.Conv2D(4, 3, padding="same")(x),
        lambda x: layers.Conv2D(4, 5, 2, "same")(x),
        lambda x: layers.DepthwiseConv2D(3, 2, depth_multiplier=2)(x),
        lambda x: layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)(x),
    ],
)
def test_other_layers_stay(rest):
    image = images_of()
    model = tf_keras.Model(image, rest(image))
    assert preparation.changes(model) == []


def test_padding_that_others_read_stays():
    image = images_of()
    padded = layers.ZeroPadding2D(((0, 1), (0, 1)))(image)
    both = [layers.DepthwiseConv2D(3, 2)(padded), layers.MaxPooling2D(3, 2)(padded)]
    model = tf_keras.Model(image, both)
    assert preparation.changes(model) == []


def test_what_cannot_be_prepared_is_refused():
    image = images_of(None)
    model = tf_keras.Model(
        image, layers.DepthwiseConv2D(3, 2, "same", name="open")(image), name="any"
    )
    with pytest.raises(ValueError, match="layer 'open' of 'any' pads depends on the"):
        preparation.prepare_for_xnnpack(model)
    image = images_of()
    model = tf_keras.Model(image, layers.Conv2D(8, 1)(image))
    wrapped = tfmot_onexn.prune_low_magnitude_1xN(
        model, pruning_policy=tfmot_onexn.PruneAll()
    )
    with pytest.raises(ValueError, match="has pruning wrappers"):
        tfmot_onexn.prepare_for_xnnpack(wrapped)
