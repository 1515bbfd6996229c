"""Models inside models, layers used twice, several inputs and outputs."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, images, relative_error
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers
from training import (
    assert_pruned_weights_are_zero,
    assert_same_weights,
    masks_of,
    tiny_network,
    wrappers,
)

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import masks

EVERYTHING = {"pruning_policy": policy.PruneAll(), "rearrange": "none"}
GRADUAL = tfmot.PolynomialDecay(0.1, 0.5, 1, 7, frequency=2)
CALLBACKS = [UpdatePruningStep, tfmot.UpdatePruningStep]


def compiled(model, loss=None):
    loss = loss or tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.SGD(0.05, momentum=0.9), loss)
    return model


def fit(model, callback):
    """Eight steps."""
    x, y = batch(model, 32)
    compiled(model).fit(x, y, 8, 2, verbose=0, shuffle=False, callbacks=[callback()])


def around(inner):
    """A model that scales its images, asks the inner model, and adds a layer."""
    image = layers.Input((5, 5, 2))
    x = inner(layers.Rescaling(0.5)(image))
    return tf_keras.Model(image, layers.Dense(4, name="outer")(x), name="around")


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_pruned_model_in_a_model_trains_as_if_pruned_together(callback):
    inner = randomize(tiny_network())
    inside = around(prune.prune_low_magnitude_1xN(inner, 4, GRADUAL, **EVERYTHING))
    whole = around(inner)
    kernel = inside.get_layer("outer").get_weights()
    whole.get_layer("outer").set_weights(kernel)
    keep_outer = policy.PruneAll()
    keep_outer.allow_pruning = lambda layer: layer.name != "outer"
    together = prune.prune_low_magnitude_1xN(
        whole, 4, GRADUAL, pruning_policy=keep_outer, rearrange="none"
    )
    for model in (inside, together):
        fit(model, callback)
        assert len(wrappers(model)) == 3
        assert_pruned_weights_are_zero(model)
        for mask in masks_of(model):
            assert mask.mean() == 0.5
    assert_same_weights(inside, together, atol=1e-6)

    x = images(inside)
    stripped = prune.strip_pruning(inside)
    assert wrappers(stripped) == []
    assert relative_error(stripped(x), inside(x)) <= 1e-6
    # and the model inside, on its own
    network = inside.get_layer("tiny")
    alone = prune.strip_pruning(network)
    assert wrappers(alone) == []
    assert relative_error(alone(x), network(x)) <= 1e-6
    assert len(wrappers(inside)) == 3


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "saved_model"])
def test_nested_pruned_models_load_from_files(tmp_path, name):
    model = prune.prune_low_magnitude_1xN(
        around(randomize(tiny_network())), 4, schedule.OneShot(0.5), **EVERYTHING
    )
    assert len(wrappers(model)) == 4
    model.save(tmp_path / name)
    loaded = tf_keras.models.load_model(tmp_path / name)
    assert_same_weights(model, loaded)
    fit(loaded, UpdatePruningStep)
    for old, new in zip(masks_of(model), masks_of(loaded), strict=True):
        np.testing.assert_array_equal(old, new)
    assert_pruned_weights_are_zero(loaded)


def with_shared_layer():
    """A Dense layer that reads both halves of its input, then its own output."""
    shared = layers.Dense(8, activation="tanh", name="shared")
    left, right = layers.Input((8,), name="left"), layers.Input((8,), name="right")
    x = shared(layers.Add()([shared(left), shared(right)]))
    return tf_keras.Model([left, right], layers.Dense(4, name="end")(x))


def test_a_layer_used_three_times_is_pruned_once_and_counts_a_step_once(rng):
    model = with_shared_layer()
    kernel = model.get_layer("shared").kernel.numpy()
    x = rng.normal(size=(2, 32, 8)).astype(np.float32)
    y = rng.integers(0, 4, 32)
    pruned = prune.prune_low_magnitude_1xN(model, 4, GRADUAL, **EVERYTHING)
    assert [wrapper.layer.name for wrapper in wrappers(pruned)] == ["shared", "end"]
    pruned.compile(tf_keras.optimizers.SGD(0.0), compiled(model).loss)
    pruned.fit([*x], y, 8, 2, verbose=0, callbacks=[UpdatePruningStep()])
    assert {int(wrapper.pruning_step) for wrapper in wrappers(pruned)} == {8}
    expected = masks.block_mask(kernel, 4, 0.5)
    np.testing.assert_array_equal(masks_of(pruned)[0], expected)
    model.get_layer("shared").kernel.assign(kernel * expected)
    end = model.get_layer("end").kernel
    end.assign(end * masks_of(pruned)[1])
    assert relative_error(pruned([*x]), model([*x])) <= 1e-6
    stripped = prune.strip_pruning(pruned)
    assert relative_error(stripped([*x]), model([*x])) <= 1e-6


def test_inside_the_graph_every_use_counts_as_it_does_in_tfmot(rng):
    """A limit of tfmot's callback, with our wrappers as with its own."""
    x = [*rng.normal(size=(2, 32, 8))]
    y = rng.integers(0, 4, 32)
    every_step = tfmot.ConstantSparsity(0.5, 0, frequency=1)
    ours = prune.prune_weights(
        with_shared_layer(), every_step, pruning_policy=policy.PruneAll()
    )
    theirs = tfmot.prune_low_magnitude(with_shared_layer(), every_step)
    for model in (ours, theirs):
        compiled(model).fit(x, y, 8, verbose=0, callbacks=[tfmot.UpdatePruningStep()])
        steps = {w.layer.name: int(w.pruning_step) for w in wrappers(model)}
        assert (steps["shared"], steps["end"]) == (12, 4)


def two_headed():
    """An image and a vector in; classes and a picture out."""
    image = layers.Input((6, 6, 2), name="image")
    extra = layers.Input((3,), name="extra")
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="body")(image)
    picture = layers.Conv2D(4, 1, name="picture")(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), extra])
    label = layers.Dense(4, name="label")(x)
    return tf_keras.Model({"image": image, "extra": extra}, [label, picture])


def test_several_inputs_and_outputs_train_and_strip_as_one(rng):
    model = randomize(two_headed())
    pruned = prune.prune_low_magnitude_1xN(model, 4, GRADUAL, **EVERYTHING)
    assert len(wrappers(pruned)) == 3
    x = {
        "image": rng.normal(size=(32, 6, 6, 2)).astype(np.float32),
        "extra": rng.normal(size=(32, 3)).astype(np.float32),
    }
    y = [rng.integers(0, 4, 32), rng.normal(size=(32, 6, 6, 4))]
    losses = [tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True), "mse"]
    compiled(pruned, losses)
    pruned.fit(x, y, 8, 2, verbose=0, callbacks=[UpdatePruningStep()])
    assert_pruned_weights_are_zero(pruned)
    for mask in masks_of(pruned):
        block = 4 * mask[..., 0, 0].size
        assert mask.sum() == block * masks.kept_count(mask.size // block, 0.5)
    stripped = prune.strip_pruning(pruned)
    assert pruned.input_names == stripped.input_names == model.input_names
    for one, other, old in zip(stripped(x), pruned(x), model(x), strict=True):
        assert relative_error(one, other) <= 1e-6
        assert relative_error(one, old) > 0.01
        assert one.shape == old.shape
    assert not any(tf.math.is_nan(tf.reduce_sum(output)) for output in stripped(x))
