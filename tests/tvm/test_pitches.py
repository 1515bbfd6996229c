import collections

import numpy as np
import pytest
import tf_keras
import tvm_networks

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import frontend, plan_runtime, rewrite, tiles, vm_runtime
from tfmot_onexn.tvm.build import build_tvm

layers = tf_keras.layers


def separable(channels=512, size=14, residual=False):
    """1x1 and depthwise convolutions, one after the other."""
    inputs = layers.Input((size, size, 8), 1)
    first = x = layers.Conv2D(channels, 1, activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu")(x)
    x = layers.Conv2D(channels, 1)(x)
    if residual:
        x = layers.Add()([x, first])
    x = layers.DepthwiseConv2D(3, 2)(x)
    return randomize(tf_keras.Model(inputs, x))


def file_of(folder, **options):
    path = folder / "model.tflite"
    convert.convert_to_tflite(separable(**options), path)
    return path


def pitches_of(path):
    found = rewrite.rewrite(frontend.load(path), tiles.AVX512)
    assert found.left == []
    return [
        (type(kernel).__name__, kernel.x_pitch, kernel.y_pitch)
        for _, kernel in found.kernels
    ]


def test_pixels_are_set_apart_where_they_crowd_each_other_out(tmp_path):
    assert pitches_of(file_of(tmp_path)) == [
        ("Product", 0, 528),
        ("Depthwise", 528, 528),
        ("Product", 528, 528),
        # what the network returns is as it must be
        ("Depthwise", 528, 0),
    ]


def test_pixels_stay_together_where_all_fit(tmp_path):
    counts = collections.Counter(pitches_of(file_of(tmp_path, channels=528)))
    assert counts == {("Product", 0, 0): 2, ("Depthwise", 0, 0): 2}


def test_maps_that_are_operands_stay_as_they_are(tmp_path):
    """The first map is read twice, and the sum has the layout of its operand."""
    assert pitches_of(file_of(tmp_path, residual=True)) == [
        ("Product", 0, 0),
        ("Depthwise", 0, 528),
        ("Product", 528, 0),
        ("Depthwise", 0, 0),
    ]


@pytest.mark.parametrize("residual", [False, True])
def test_builds_compute_what_stock_tflite_does(residual, tmp_path):
    path = file_of(tmp_path, residual=residual)
    x = tvm_networks.image((1, 14, 14, 8))
    expected = tvm_networks.stock(path, x)
    build_tvm(path, tmp_path / "m.so")
    build_tvm(path, tmp_path / "plan", format="plan")
    [found] = vm_runtime.load(tmp_path / "m.so").run([x])
    assert tvm_networks.error(found, expected) <= 1e-5
    with plan_runtime.Plan(tmp_path / "plan", num_threads=2) as loaded:
        [found] = loaded.run(x)
        assert tvm_networks.error(np.array(found), expected) <= 1e-5
