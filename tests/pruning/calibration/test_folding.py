import numpy as np
import pytest
import tf_keras
from graphs import relative_error
from tf_keras import layers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning.calibration import folding
from tfmot_onexn.pruning.calibration.folding import Linear


def unit(depthwise, bias, **norm):
    image = layers.Input((6, 6, 5))
    if depthwise:
        layer = layers.DepthwiseConv2D(3, use_bias=bias)
    else:
        layer = layers.Conv2D(7, 1, use_bias=bias)
    norm = layers.BatchNormalization(**norm) if norm else None
    x = layer(image)
    model = randomize(tf_keras.Model(image, norm(x) if norm else x))
    return model, layer, norm


def linear_outputs(model, linear, x):
    """What a folded map computes, by way of Keras."""
    if linear.kernel_km.shape[0] == 9:
        kernel = linear.kernel_km.reshape(3, 3, 5, 1)
        made = tf_keras.backend.depthwise_conv2d(x, kernel)
    else:
        made = x @ linear.kernel_km
    return made + linear.bias_m


NORMS = [
    {},
    {"epsilon": 1e-3},
    {"scale": False},
    {"center": False},
    {"scale": False, "center": False},
]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("depthwise", [True, False])
def test_a_folded_map_is_what_the_layers_compute(depthwise, bias, norm, rng):
    model, layer, norm = unit(depthwise, bias, **norm)
    x = rng.normal(size=(3, 6, 6, 5)).astype(np.float32)
    found = linear_outputs(model, folding.fold(layer, norm), x)
    assert relative_error(found, model(x)) <= 1e-5


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("depthwise", [True, False])
def test_layers_take_the_weights_that_compute_a_map(depthwise, norm, rng):
    model, layer, norm = unit(depthwise, True, **norm)
    before = folding.fold(layer, norm)
    shape = before.kernel_km.shape
    wanted = Linear(
        rng.normal(size=shape).astype(np.float32),
        rng.normal(size=shape[1]).astype(np.float32),
    )
    wanted.kernel_km[:, 1] = 0
    mean, variance = rng.normal(size=shape[1]), rng.random(shape[1]) + 0.5
    folding.unfold(layer, norm, wanted, lambda kernel: (mean, variance))
    x = rng.normal(size=(3, 6, 6, 5)).astype(np.float32)
    assert relative_error(model(x), linear_outputs(model, wanted, x)) <= 1e-5
    assert (folding.kernel_of(layer)[:, 1] == 0).all()
    if norm is not None and norm.scale and norm.center:
        expected = mean + layer.bias.numpy()
        np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)
        np.testing.assert_allclose(norm.moving_variance, variance, rtol=1e-5)


def test_a_channel_without_a_scale_keeps_its_kernel_where_that_is_kept(rng):
    _, layer, norm = unit(False, False, epsilon=1e-3)
    gamma = norm.gamma.numpy()
    gamma[2] = 0
    norm.gamma.assign(gamma)
    kernel = folding.kernel_of(layer)
    wanted = Linear(np.ones((5, 7), np.float32), np.ones(7, np.float32))
    wanted.kernel_km[:2, 2] = 0
    folding.unfold(layer, norm, wanted, lambda kernel: (np.zeros(7), np.ones(7)))
    found = folding.kernel_of(layer)[:, 2]
    np.testing.assert_array_equal(found, [0, 0, *kernel[2:, 2]])
