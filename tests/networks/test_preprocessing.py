import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from tfmot_onexn.networks import preprocessing


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (2, 4, 4, 3), np.uint8)


def test_each_preprocessing_is_that_of_keras_networks(pixels):
    networks = tf_keras.applications
    for name, module in [
        ("tf", networks.mobilenet),
        ("tf", networks.mobilenet_v2),
        ("none", networks.mobilenet_v3),
        ("none", networks.efficientnet),
        ("caffe", networks.resnet50),
        ("torch", networks.densenet),
    ]:
        inputs = preprocessing.preprocess(name, pixels)
        assert inputs.dtype == np.float32
        expected = module.preprocess_input(pixels.astype(np.float32))
        np.testing.assert_array_equal(inputs, expected)


def test_values_are_those_of_the_formulas(pixels):
    tf = preprocessing.preprocess("tf", pixels)
    np.testing.assert_allclose(tf, pixels / 127.5 - 1.0, atol=1e-6)
    caffe = preprocessing.preprocess("caffe", pixels)
    mean_bgr = np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(caffe, pixels[..., ::-1] - mean_bgr, atol=1e-4)


@pytest.mark.parametrize("name", preprocessing.NAMES)
def test_pixels_are_not_changed_in_place(pixels, name):
    for kept in (pixels.copy(), pixels.astype(np.float32)):
        inputs = preprocessing.preprocess(name, kept)
        np.testing.assert_array_equal(kept, pixels)
        assert not np.shares_memory(inputs, kept)


def test_an_unknown_preprocessing_is_refused(pixels):
    with pytest.raises(ValueError, match=r"'cafe'; choose one of tf, none, caffe, tor"):
        preprocessing.preprocess("cafe", pixels)


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("MobileNetV2", "tf"),
        ("MobileNetV3Small", "none"),
        ("EfficientNetB0", "none"),
        ("RegNetX002", "none"),
        ("ResNet50", "caffe"),
        ("DenseNet121", "torch"),
    ],
)
def test_keras_networks_get_what_they_expect(network, name):
    model = getattr(tf_keras.applications, network)(
        input_shape=(32, 32, 3), weights=None, include_top=False
    )
    assert preprocessing.preprocessing_for(model) == name


def test_a_network_without_its_own_scaling_gets_minus_one_to_one():
    model = tf_keras.applications.MobileNetV3Small(
        input_shape=(32, 32, 3), weights=None, include_preprocessing=False
    )
    assert preprocessing.preprocessing_for(model) == "tf"


def test_scaling_counts_before_the_first_weights_only():
    head = tf_keras.Sequential([layers.Rescaling(1 / 255), layers.Conv2D(2, 1)])
    model = tf_keras.Sequential([layers.RandomFlip(), head])
    model.build((None, 8, 8, 3))
    assert preprocessing.preprocessing_for(model) == "none"
    late = tf_keras.Sequential([layers.Conv2D(2, 1), layers.Rescaling(2.0)])
    late.build((None, 8, 8, 3))
    assert preprocessing.preprocessing_for(late) == "tf"
