"""Training in half precision: float32 variables and masks, zeros exact."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, images, relative_error
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers, mixed_precision
from training import (
    assert_pruned_weights_are_zero,
    masks_of,
    tiny_network,
    wrappers,
)

from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import masks

POLICIES = ["mixed_float16", "mixed_bfloat16"]
CALLBACKS = [UpdatePruningStep, tfmot.UpdatePruningStep]


@pytest.fixture(params=POLICIES)
def half(request):
    mixed_precision.set_global_policy(request.param)
    yield tf.as_dtype(request.param.removeprefix("mixed_"))
    mixed_precision.set_global_policy(None)


def compiled(model, half, learning_rate=0.05):
    optimizer = tf_keras.optimizers.SGD(learning_rate, momentum=0.9)
    if half == tf.float16:
        optimizer = mixed_precision.LossScaleOptimizer(optimizer)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize("callback", CALLBACKS)
def test_a_model_trains_with_exact_zeros_and_float32_variables(half, callback):
    pruned = prune.prune_low_magnitude_1xN(
        tiny_network(),
        4,
        tfmot.PolynomialDecay(0.1, 0.5, 1, 5, frequency=2),
        policy.PruneAll(),
        rearrange="none",
    )
    start = [wrapper.layer.kernel.numpy() for wrapper in wrappers(pruned)]
    compiled(pruned, half)
    x, y = batch(pruned, 64)
    pruned.fit(x, y, 8, verbose=0, callbacks=[callback()])
    assert {wrapper.compute_dtype for wrapper in wrappers(pruned)} == {half.name}
    assert {v.dtype for v in pruned.weights} == {tf.float32, tf.int64}
    assert_pruned_weights_are_zero(pruned)
    for wrapper, mask, kernel in zip(
        wrappers(pruned), masks_of(pruned), start, strict=True
    ):
        assert mask.mean() == 0.5
        assert (wrapper.layer.kernel.numpy()[mask] != kernel[mask]).mean() > 0.5
    stripped = prune.strip_pruning(pruned)
    assert {layer.compute_dtype for layer in stripped.layers} == {half.name}
    assert stripped(x).dtype == half
    np.testing.assert_array_equal(stripped(x), pruned(x))


@pytest.mark.parametrize("callback", CALLBACKS)
def test_masks_are_chosen_in_full_precision(half, callback, rng):
    # rounded to half precision, most of these weights would be equal
    kernel = (1 + 1e-4 * rng.permutation(256)).reshape(16, 16).astype(np.float32)
    wrapper = prune.prune_weights(
        layers.Dense(16, use_bias=False),
        tfmot.ConstantSparsity(0.5, 1, frequency=1),
        input_shape=(16,),
    )
    model = tf_keras.Sequential([wrapper])
    wrapper.layer.kernel.assign(kernel)
    model.compile(tf_keras.optimizers.SGD(0.0), "mse")
    x = rng.normal(size=(8, 16))
    model.fit(x, x, verbose=0, callbacks=[callback()])
    np.testing.assert_array_equal(masks_of(model)[0], masks.weight_mask(kernel, 0.5))


def test_a_loop_may_scale_the_loss():
    mixed_precision.set_global_policy("mixed_float16")
    try:
        pruned = prune.prune_low_magnitude_1xN(
            tiny_network(), 4, schedule.OneShot(0.5), policy.PruneAll()
        )
        compiled(pruned, tf.float16)
    finally:
        mixed_precision.set_global_policy(None)
    before = masks_of(pruned)
    kernel = wrappers(pruned)[0].layer.kernel.numpy()
    x, y = batch(pruned, 16)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = pruned.loss(y, pruned(x, training=True))
            scaled = pruned.optimizer.get_scaled_loss(loss)
        gradients = tape.gradient(scaled, pruned.trainable_variables)
        gradients = pruned.optimizer.get_unscaled_gradients(gradients)
        pruned.optimizer.apply_gradients(
            zip(gradients, pruned.trainable_variables, strict=True)
        )
        return gradients

    for _ in range(3):
        gradients = step()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert_pruned_weights_are_zero(pruned)
    for old, new in zip(before, masks_of(pruned), strict=True):
        np.testing.assert_array_equal(old, new)
    moved = wrappers(pruned)[0].layer.kernel.numpy() != kernel
    assert moved[before[0]].mean() > 0.5


def test_the_masks_are_those_of_a_float32_model():
    def pruned(name):
        mixed_precision.set_global_policy(name)
        try:
            tf_keras.utils.set_random_seed(3)
            model = tiny_network()
        finally:
            mixed_precision.set_global_policy(None)
        return prune.prune_low_magnitude_1xN(
            model, 4, schedule.OneShot(0.5), policy.PruneAll()
        )

    single, half = pruned("float32"), pruned("mixed_bfloat16")
    for one, other in zip(single.weights, half.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    x = images(single)
    assert relative_error(tf.cast(half(x), tf.float32), single(x)) < 0.05
