"""Weight pruning, its schedules and 1xN on Dense: step by step as tfmot itself."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers
from training import RecordMasks, masks_of, tiny_network, twin, wrappers

from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import masks

# sparsities that leave no count at a half: which way it is rounded then depends on
# how TensorFlow rearranges the schedule's arithmetic
SCHEDULES = [
    tfmot.ConstantSparsity(0.6, 2, 8, frequency=3),
    tfmot.PolynomialDecay(0.1, 0.83, 1, 9, frequency=2),
    tfmot.PolynomialDecay(0.0, 0.75, 0, 6, power=1, frequency=1),
]
STEPS = 10


def recorded(model, callback, learning_rate):
    """Trains ten steps; returns the masks after each."""
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.SGD(learning_rate), loss)
    x, y = batch(model, 4 * STEPS)
    record = RecordMasks()
    callbacks = [callback(), record]
    model.fit(x, y, 4, verbose=0, shuffle=False, callbacks=callbacks)
    return record.seen


def separable():
    return tf_keras.Sequential(
        [
            layers.SeparableConv2D(12, 3, input_shape=(6, 6, 4)),
            layers.Conv2DTranspose(6, 2),
            layers.Flatten(),
            layers.Dense(4),
        ]
    )


def recurrent():
    return tf_keras.Sequential(
        [
            layers.Conv1D(6, 2, input_shape=(5, 4)),
            layers.LSTM(5),
            layers.Dense(4),
        ]
    )


@pytest.mark.parametrize(
    ("network", "schedule", "callback"),
    [
        *[(tiny_network, schedule, UpdatePruningStep) for schedule in SCHEDULES],
        (tiny_network, SCHEDULES[1], tfmot.UpdatePruningStep),
        (separable, SCHEDULES[1], UpdatePruningStep),
        (recurrent, SCHEDULES[1], tfmot.UpdatePruningStep),
    ],
)
def test_each_step_has_the_masks_and_thresholds_of_tfmot(network, schedule, callback):
    model = network()
    theirs = tfmot.prune_low_magnitude(twin(model), schedule)
    ours = prune.prune_weights(model, schedule, policy.PruneAll())
    # at rate 0, since tfmot alone lets pruned weights move between updates
    expected = recorded(theirs, tfmot.UpdatePruningStep, 0.0)
    actual = recorded(ours, callback, 0.0)
    assert len(actual) == STEPS
    for step, (one, other) in enumerate(zip(expected, actual, strict=True), 1):
        assert len(one) == len(other) >= 3
        for mask, own in zip(one, other, strict=True):
            np.testing.assert_array_equal(own, mask, err_msg=f"step {step}")
    with_masks = [wrapper for wrapper in wrappers(theirs) if wrapper.pruning_vars]
    for one, other in zip(with_masks, wrappers(ours), strict=True):
        for its, mine in zip(one.pruning_vars, other.pruning_vars, strict=True):
            np.testing.assert_allclose(mine[2], its[2], rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "callback"),
    [
        (SCHEDULES[0], UpdatePruningStep),
        (SCHEDULES[1], UpdatePruningStep),
        (SCHEDULES[1], tfmot.UpdatePruningStep),
    ],
)
def test_in_training_each_step_has_the_schedules_sparsity(schedule, callback):
    model = tiny_network()
    ours = prune.prune_weights(model, schedule, policy.PruneAll())
    theirs = tfmot.prune_low_magnitude(twin(model), schedule)
    actual = recorded(ours, callback, 0.1)
    expected = recorded(theirs, tfmot.UpdatePruningStep, 0.1)
    sparsity = 0.0
    for step in range(1, STEPS + 1):
        due, wanted = schedule(tf.constant(step, tf.int64))
        sparsity = float(wanted) if due else sparsity
        for one, other in zip(expected[step - 1], actual[step - 1], strict=True):
            assert other.sum() == one.sum() == masks.kept_count(one.size, sparsity)
    assert sparsity > 0.5


def test_blocks_of_dense_layers_are_those_of_tfmots_block_size():
    model = tf_keras.Sequential(
        [layers.Dense(16, input_shape=(12,)), layers.Dense(24), layers.Dense(8)]
    )
    schedule = SCHEDULES[1]
    theirs = tfmot.prune_low_magnitude(twin(model), schedule, block_size=(1, 4))
    ours = prune.prune_low_magnitude_1xN(
        model, 4, schedule, policy.PruneAll(), rearrange="none"
    )
    expected = recorded(theirs, tfmot.UpdatePruningStep, 0.0)
    for one, other in zip(
        expected, recorded(ours, UpdatePruningStep, 0.0), strict=True
    ):
        for mask, own in zip(one, other, strict=True):
            np.testing.assert_array_equal(own, mask)
    assert np.mean(masks_of(ours)[1]) == pytest.approx(0.17, abs=0.01)


@settings(max_examples=60)
@given(
    st.integers(2, 12),
    st.integers(2, 12),
    st.floats(0, 1, exclude_max=True, width=32),
    st.integers(0, 2**32 - 1),
)
def test_of_equal_weights_the_first_stay_where_tfmot_keeps_all(
    inputs, outputs, sparsity, seed
):
    kernel = np.random.default_rng(seed).integers(-3, 4, (inputs, outputs))
    kernel = kernel.astype(np.float32)
    pruning = pruning_impl.Pruning(
        training_step_fn=lambda: tf.constant(0),
        pruning_vars=[],
        pruning_schedule=tfmot.ConstantSparsity(sparsity, 0),
        block_size=(1, 1),
        block_pooling_type="AVG",
    )
    threshold, theirs = pruning._update_mask(tf.constant(kernel))
    theirs = theirs.numpy() == 1
    ours = masks.weight_mask(kernel, sparsity)
    assert ours.sum() == masks.kept_count(kernel.size, sparsity)
    tied = np.abs(kernel) == threshold.numpy()
    np.testing.assert_array_equal(ours[~tied], theirs[~tied])
    assert theirs[tied].all()
    first = np.flatnonzero(tied)[: ours[tied].sum()]
    assert ours.ravel()[first].all()
