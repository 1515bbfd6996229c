import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, compiled, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.pruning import prune
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.masking import MaskingWrapper


def pruned_on(schedule):
    return compiled(
        prune.prune_low_magnitude_1xN(small_network(), 4, schedule, rearrange="none")
    )


def wrappers(model):
    return [layer for layer in model.layers if isinstance(layer, MaskingWrapper)]


def sparsities(model):
    return [1 - w.pruning_vars[0][1].numpy().mean() for w in wrappers(model)]


def steps(model):
    return {int(wrapper.pruning_step) for wrapper in wrappers(model)}


class Record(UpdatePruningStep):
    """Notes the first layer's sparsity after each batch."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        self.seen.append(round(float(sparsities(self.model)[0]), 2))


def test_masks_change_at_the_steps_the_schedule_names():
    pruned = pruned_on(tfmot.ConstantSparsity(0.5, 2, frequency=3))
    record = Record()
    pruned.fit(*batch(pruned, 48), 8, verbose=0, callbacks=[record])
    assert record.seen == [0, 0.5, 0.5, 0.5, 0.5, 0.5]
    assert steps(pruned) == {6}


def test_steps_are_counted_with_several_per_execution():
    schedule = tfmot.ConstantSparsity(0.5, 4, frequency=100)
    pruned = prune.prune_low_magnitude_1xN(
        small_network(), 4, schedule, rearrange="none"
    )
    compiled(pruned, steps_per_execution=3)
    record = Record()
    pruned.fit(*batch(pruned, 48), 8, verbose=0, callbacks=[record])
    assert record.seen == [0, 0.5]
    assert steps(pruned) == {6}


def test_a_one_shot_model_needs_no_callback_and_is_left_alone_by_it():
    pruned = compiled(prune.prune_low_magnitude_1xN(small_network()))
    before = sparsities(pruned)
    pruned.fit(*batch(pruned), 8, verbose=0, callbacks=[UpdatePruningStep()])
    assert sparsities(pruned) == before
    assert steps(pruned) == {-1}


def test_the_callbacks_can_take_turns():
    pruned = pruned_on(tfmot.PolynomialDecay(0, 0.75, 0, 12, frequency=4))
    turns = [UpdatePruningStep, tfmot.UpdatePruningStep] * 2
    seen = []
    for turn in turns:
        pruned.fit(*batch(pruned), 8, verbose=0, callbacks=[turn()])
        seen.append(sparsities(pruned)[0])
    assert steps(pruned) == {16}
    assert 0 < seen[0] < seen[1] < seen[2] == pytest.approx(0.75)


def test_a_custom_loop_prunes_when_it_calls_the_callback():
    pruned = pruned_on(tfmot.ConstantSparsity(0.5, 2, frequency=100))
    callback = UpdatePruningStep()
    callback.set_model(pruned)
    callback.on_train_begin()
    x, y = batch(pruned, 8)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = pruned.loss(y, pruned(x, training=True))
        variables = pruned.trainable_variables
        pruned.optimizer.apply_gradients(
            zip(tape.gradient(loss, variables), variables, strict=True)
        )

    for expected in (0.0, 0.5, 0.5):
        callback.on_train_batch_begin(-1)
        step()
        np.testing.assert_allclose(sparsities(pruned), expected, atol=0.01)
    callback.on_epoch_end(batch=-1)  # as loops for tfmot's callback call it
    kernel = wrappers(pruned)[0].layer.kernel.numpy()
    assert (kernel == 0).mean() == pytest.approx(0.5, abs=0.01)


def test_layers_on_different_schedules_are_renewed_apart():
    model = small_network()
    half = prune.prune_low_magnitude_1xN(
        model, 4, tfmot.ConstantSparsity(0.5, 1, frequency=100), rearrange="none"
    )
    wrappers(half)[0].pruning_schedule = tfmot.ConstantSparsity(0.75, 3, frequency=9)
    compiled(half)
    half.fit(*batch(half), 16, verbose=0, callbacks=[UpdatePruningStep()])
    np.testing.assert_allclose(sparsities(half), [0, 0.5, 0.5], atol=0.01)
    half.fit(*batch(half), 16, verbose=0, callbacks=[UpdatePruningStep()])
    np.testing.assert_allclose(sparsities(half), [0.75, 0.5, 0.5], atol=0.01)


def test_layers_that_have_been_trained_before_go_on_apart_from_new_ones():
    schedule = tfmot.ConstantSparsity(0.5, 3, frequency=100)
    old, new = pruned_on(schedule), pruned_on(schedule)
    new._name = "new"
    old.fit(*batch(old, 16), 8, verbose=0, callbacks=[UpdatePruningStep()])
    image = tf_keras.layers.Input((8, 8, 3))
    both = compiled(tf_keras.Model(image, old(image) + new(image)))
    both.fit(*batch(both, 8), 8, verbose=0, callbacks=[UpdatePruningStep()])
    assert (steps(old), steps(new)) == ({3}, {1})
    np.testing.assert_allclose(sparsities(old), 0.5, atol=0.01)
    np.testing.assert_allclose(sparsities(new), 0.0)


class Block(tf_keras.layers.Layer):
    """A layer of the user's own that holds a pruned one."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs, training=None):
        return self.inner(inputs, training=training)


class OwnModel(tf_keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.block = Block(inner)

    def call(self, inputs, training=None):
        return self.block(inputs, training=training)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda layer, schedule: prune.prune_weights(layer, schedule),
        lambda layer, schedule: tfmot.prune_low_magnitude(layer, schedule),
    ],
)
def test_layers_in_a_subclassed_model_are_found_ours_and_tfmots(wrap, rng):
    wrapper = wrap(tf_keras.layers.Dense(8), tfmot.ConstantSparsity(0.75, 2))
    wrapper.pruning_schedule.frequency = 1
    model = OwnModel(wrapper)
    model.compile("sgd", "mse")
    x, y = rng.normal(size=(16, 4)), rng.normal(size=(16, 8))
    with pytest.raises(ValueError, match=r"Layer 'prune.*' is not built.*model.build"):
        model.fit(x, y, 8, verbose=0, callbacks=[UpdatePruningStep()])
    model(x)
    model.fit(x, y, 8, verbose=0, callbacks=[UpdatePruningStep()])
    assert int(wrapper.pruning_step) == 2
    assert (wrapper.layer.kernel.numpy() == 0).mean() == 0.75


def test_tfmot_summaries_read_masks_and_thresholds(tmp_path):
    pruned = pruned_on(tfmot.ConstantSparsity(0.5, 1, frequency=1))
    callbacks = [UpdatePruningStep(), tfmot.PruningSummaries(str(tmp_path))]
    pruned.fit(*batch(pruned), 8, 2, verbose=0, callbacks=callbacks)
    (events,) = (tmp_path / "metrics").iterdir()
    tags = {
        value.tag: float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    sparsity = [v for tag, v in tags.items() if tag.endswith("mask:0/sparsity")]
    np.testing.assert_allclose(sparsity, 0.5, atol=0.01)
    thresholds = [v for tag, v in tags.items() if tag.endswith("/threshold")]
    assert len(thresholds) == 3
    assert min(thresholds) > 0
