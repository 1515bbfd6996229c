"""Frozen layers: they stay as they are, pruned or not, through every step."""

import numpy as np
import pytest
import tf_keras
from graphs import batch, compiled, images, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers
from training import assert_pruned_weights_are_zero, masks_of, wrappers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import prune
from tfmot_onexn.pruning.callbacks import UpdatePruningStep

GRADUAL = tfmot.PolynomialDecay(0.1, 0.5, 1, 3, frequency=1)


def half_frozen():
    """A network whose first half is frozen, its statistics included."""
    model = randomize(small_network())
    for layer in model.layers[1:6]:
        layer.trainable = False
    return model


def flags(model):
    return {
        layer.name.removeprefix("prune_low_magnitude_1xn_"): layer.trainable
        for layer in model.layers
    }


def layer_of(model, name):
    found = next(x for x in model.layers if x.name.endswith(name))
    return getattr(found, "layer", found)


def fit(model, **settings):
    x, y = batch(model, 32)
    callbacks = [UpdatePruningStep()]
    compiled(model, **settings).fit(x, y, 8, verbose=0, callbacks=callbacks)


@pytest.mark.parametrize("schedule", [None, GRADUAL])
def test_frozen_layers_keep_their_weights_and_get_their_masks(schedule):
    model = half_frozen()
    settings = {"pruning_schedule": schedule} if schedule else {}
    pruned = prune.prune_low_magnitude_1xN(model, 4, rearrange="none", **settings)
    assert flags(pruned) == flags(model)
    assert not layer_of(pruned, "expand").trainable
    fit(pruned)
    assert_pruned_weights_are_zero(pruned)
    for mask in masks_of(pruned):
        assert mask.mean() == pytest.approx(0.5, abs=0.01)
    mask = masks_of(pruned)[0]
    for name in flags(model):
        before, after = layer_of(model, name), layer_of(pruned, name)
        for old, new in zip(before.weights, after.weights, strict=True):
            expected = old.numpy()
            if name == "expand":
                expected = expected * mask
            if after.trainable and "kernel" in new.name:
                assert (expected != new.numpy()).any(), new.name
            elif not after.trainable:
                np.testing.assert_array_equal(new, expected, err_msg=new.name)


def test_layers_can_be_frozen_and_freed_once_wrapped():
    pruned = prune.prune_low_magnitude_1xN(randomize(small_network()))
    head = pruned.get_layer("prune_low_magnitude_1xn_head")
    head.trainable = False
    assert not head.layer.trainable
    before = [weight.numpy() for weight in head.weights]
    fit(pruned)
    for old, new in zip(before, head.weights, strict=True):
        np.testing.assert_array_equal(new, old)
    head.trainable = True
    assert head.layer.trainable
    fit(pruned)
    kept = masks_of(pruned)[-1]
    assert (head.layer.kernel.numpy()[kept] != before[0][kept]).mean() > 0.9
    np.testing.assert_array_equal(kept, before[-3] == 1)
    assert_pruned_weights_are_zero(pruned)


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "saved_model"])
def test_what_is_frozen_stays_so_through_files_and_stripping(tmp_path, name):
    pruned = prune.prune_low_magnitude_1xN(half_frozen())
    expected = flags(pruned)
    assert set(expected.values()) == {False, True}
    assert flags(prune.strip_pruning(pruned)) == expected
    pruned.save(tmp_path / name)
    loaded = tf_keras.models.load_model(tmp_path / name)
    assert flags(loaded) == expected
    assert len(loaded.trainable_weights) == len(pruned.trainable_weights)
    fit(loaded)
    for old, new in zip(pruned.layers[:6], loaded.layers[:6], strict=True):
        for one, other in zip(old.weights, new.weights, strict=True):
            np.testing.assert_array_equal(one, other)
    assert_pruned_weights_are_zero(loaded)


def test_a_new_head_is_trained_on_a_frozen_pruned_network():
    base = small_network()
    base.trainable = False
    base.get_layer("head").trainable = True  # frozen all the same by the model's flag
    image = layers.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(3, name="new")(base(image)))
    pruned = prune.prune_low_magnitude_1xN(model)
    inner = pruned.get_layer("small")
    assert not inner.trainable
    assert inner.get_layer("prune_low_magnitude_1xn_head").trainable
    assert len(pruned.trainable_weights) == len(model.trainable_weights) == 2
    before = [weight.numpy() for weight in inner.weights]
    x = images(model)
    old = pruned(x).numpy()
    fit(pruned)
    for one, other in zip(before, inner.weights, strict=True):
        np.testing.assert_array_equal(other, one)
    assert np.abs(pruned(x) - old).max() > 1e-3
    assert len(wrappers(inner)) == 3
    stripped = prune.strip_pruning(pruned)
    assert not stripped.get_layer("small").trainable
    assert len(stripped.trainable_weights) == 2
