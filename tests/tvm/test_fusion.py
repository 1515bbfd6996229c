import collections

import numpy as np
import pytest
import tf_keras
import tvm_networks

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import frontend, plan_runtime, rewrite, tiles, vm_runtime
from tfmot_onexn.tvm.build import build_tvm

layers = tf_keras.layers


def inverted_residual(size=64, expansion=6, n=16, stride=1, branch=False):
    """Inputs of 16 channels, expanded, filtered, projected and added."""
    inputs = layers.Input((size, size, 16), 1)
    x = layers.Conv2D(16 * expansion, 1)(inputs)
    expanded = x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.DepthwiseConv2D(3, stride, padding="same")(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Conv2D(16, 1)(x))
    if stride == 1:
        x = layers.Add()([x, inputs])
    outputs = [x, layers.Conv2D(16, 1)(expanded)] if branch else x
    model = randomize(tf_keras.Model(inputs, outputs))
    wrapped = prune.prune_low_magnitude_1xN(
        model, n, OneShot(0.5), policy.PruneAll(), rearrange="none"
    )
    return prune.strip_pruning(wrapped)


def kernels_of(folder, fuse=True, **options):
    path = folder / "model.tflite"
    convert.convert_to_tflite(inverted_residual(**options), path)
    found = rewrite.rewrite(frontend.load(path), tiles.AVX512, fuse=fuse)
    return collections.Counter(type(kernel).__name__ for _, kernel in found.kernels)


APART = {"Product": 2, "Depthwise": 1}


@pytest.mark.parametrize("stride", [1, 2])
def test_three_layers_become_one(stride, tmp_path):
    assert kernels_of(tmp_path, stride=stride) == {"InvertedResidual": 1}


@pytest.mark.parametrize(
    "options",
    [{"fuse": False}, {"size": 16}, {"expansion": 2, "size": 96}, {"n": 4}],
)
def test_layers_stay_apart_where_it_does_not_pay(options, tmp_path):
    assert kernels_of(tmp_path, **options) == APART


def test_layers_stay_apart_where_others_read_what_is_between(tmp_path):
    assert kernels_of(tmp_path, branch=True) == {"Product": 3, "Depthwise": 1}


@pytest.mark.parametrize("stride", [1, 2])
def test_builds_compute_what_stock_tflite_does(stride, tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(inverted_residual(stride=stride), path)
    x = tvm_networks.image((1, 64, 64, 16))
    expected = tvm_networks.stock(path, x)
    library, plan = tmp_path / "m.so", tmp_path / "plan"
    build_tvm(path, library, target="host")
    build_tvm(path, plan, target="host", format="plan")
    [found] = vm_runtime.load(library).run([x])
    assert tvm_networks.error(found, expected) <= 1e-5
    for threads in (1, 2):
        with plan_runtime.Plan(plan, num_threads=threads) as loaded:
            [found] = loaded.run(x)
            assert tvm_networks.error(np.array(found), expected) <= 1e-5


def test_networks_of_one_chain_are_divided(tmp_path):
    """A layer that ends one inverted residual cannot begin another."""
    inputs = x = layers.Input((64, 64, 16), 1)
    for channels in (64, 192):
        x = layers.Conv2D(channels, 1)(x)
        x = layers.DepthwiseConv2D(3, padding="same")(x)
    x = layers.Conv2D(16, 1)(x)
    model = randomize(tf_keras.Model(inputs, x))
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(model, path)
    found = rewrite.rewrite(frontend.load(path), tiles.AVX512)
    counts = collections.Counter(type(kernel).__name__ for _, kernel in found.kernels)
    assert counts == {"InvertedResidual": 1, "Depthwise": 1, "Product": 1}
    assert found.left == []
