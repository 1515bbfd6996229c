"""Training in a loop of one's own, eagerly, in parts and compiled, ends as ``fit``."""

import numpy as np
import pytest
import tf_keras
from graphs import batch
from tensorflow_model_optimization.sparsity import keras as tfmot
from training import (
    assert_pruned_weights_are_zero,
    assert_same_weights,
    loop,
    masks_of,
    tiny_network,
    twin,
    wrappers,
)

from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import masks

GRADUAL = tfmot.PolynomialDecay(0.1, 0.6, 1, 7, frequency=2)
CALLBACKS = [UpdatePruningStep, tfmot.UpdatePruningStep]


def compiled(model, **settings):
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf_keras.optimizers.SGD(0.05, momentum=0.9)
    model.compile(optimizer, loss, **settings)
    return model


def pruned(model, pruning_schedule=GRADUAL, **settings):
    wrapped = prune.prune_low_magnitude_1xN(
        model, 4, pruning_schedule, policy.PruneAll(), rearrange="none"
    )
    return compiled(wrapped, **settings)


def fitted(model, callback, pruning_schedule=GRADUAL, **settings):
    """Trains eight steps of eight images with ``fit``."""
    wrapped = pruned(model, pruning_schedule, **settings)
    x, y = batch(wrapped, 32)
    wrapped.fit(x, y, 8, 2, verbose=0, shuffle=False, callbacks=[callback()])
    return wrapped


@pytest.fixture(scope="module")
def model():
    tf_keras.utils.set_random_seed(1)
    return tiny_network()


@pytest.fixture(scope="module")
def reference(model):
    """What ``fit`` with our callback gives, which test_wrapper compares with NumPy."""
    trained = fitted(model, UpdatePruningStep)
    assert_pruned_weights_are_zero(trained)
    for mask in masks_of(trained):
        block = 4 * mask[..., 0, 0].size
        assert mask.sum() == block * masks.kept_count(mask.size // block, 0.6)
    return trained


@pytest.mark.parametrize("callback", CALLBACKS)
@pytest.mark.parametrize("as_function", [False, True])
def test_a_loop_with_gradient_tape_ends_as_fit(model, reference, callback, as_function):
    wrapped = pruned(model)
    x, y = batch(wrapped, 32)
    loop(wrapped, x, y, 8, 2, callback(), as_function=as_function)
    assert_same_weights(reference, wrapped, atol=1e-6)
    assert {int(wrapper.pruning_step) for wrapper in wrappers(wrapped)} == {8}


@pytest.mark.parametrize("callback", CALLBACKS)
def test_eager_training_ends_as_in_a_graph(model, reference, callback):
    eager = fitted(model, callback, run_eagerly=True)
    assert_same_weights(reference, eager, atol=1e-6)


def test_tfmots_callback_counts_the_steps_of_one_execution(model, reference):
    several = fitted(model, tfmot.UpdatePruningStep, steps_per_execution=4)
    assert_same_weights(reference, several, atol=1e-6)


def test_ours_renews_masks_between_executions(model):
    at_once = tfmot.ConstantSparsity(0.5, 1, frequency=100)
    one = fitted(model, UpdatePruningStep, at_once)
    several = fitted(model, UpdatePruningStep, at_once, steps_per_execution=4)
    assert_same_weights(one, several, atol=1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_one_shot_training_is_that_of_a_model_whose_weights_are_reset(
    model, jit_compile
):
    wrapped = fitted(
        model, UpdatePruningStep, schedule.OneShot(0.5), jit_compile=jit_compile
    )
    assert_pruned_weights_are_zero(wrapped)
    plain = compiled(twin(model))
    kernels = [plain.get_layer(name).kernel for name in ("stem", "point", "end")]
    kept = [masks.block_mask(kernel.numpy(), 4, 0.5) for kernel in kernels]
    x, y = batch(plain, 32)
    for step in range(8):
        for kernel, mask in zip(kernels, kept, strict=True):
            kernel.assign(kernel * mask)
        start = 8 * (step % 4)
        plain.train_on_batch(x[start : start + 8], y[start : start + 8])
    for own, mask in zip(masks_of(wrapped), kept, strict=True):
        np.testing.assert_array_equal(own, mask)
    for wrapper, kernel, mask in zip(wrappers(wrapped), kernels, kept, strict=True):
        np.testing.assert_allclose(wrapper.layer.kernel, kernel * mask, atol=1e-5)


def test_xla_drops_the_check_for_a_callback_and_prunes_all_the_same(model):
    """A limit: XLA has no assertions, so a forgotten callback goes unnoticed."""
    wrapped = pruned(model, tfmot.ConstantSparsity(0.5, 1), jit_compile=True)
    wrapped.fit(*batch(wrapped, 16), 8, verbose=0)
    assert {int(wrapper.pruning_step) for wrapper in wrappers(wrapped)} == {1}


@pytest.mark.parametrize("callback", CALLBACKS)
def test_gradients_added_up_over_parts_are_those_of_the_whole_batch(model, callback):
    # without BatchNormalization, whose statistics are of each part
    plain = tf_keras.Sequential([model.layers[0], *model.layers[3:]]).get_config()
    bare = tf_keras.Sequential.from_config(plain)
    whole, parts = pruned(bare), pruned(bare)
    x, y = batch(bare, 32)
    loop(whole, x, y, 8, 2, UpdatePruningStep())
    loop(parts, x, y, 8, 2, callback(), parts=4)
    if callback is UpdatePruningStep:
        assert_same_weights(whole, parts, atol=1e-6)
    else:
        # inside the graph every pass through the layer counts, as in tfmot
        assert {int(wrapper.pruning_step) for wrapper in wrappers(parts)} == {32}
