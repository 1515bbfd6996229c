import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, images, relative_error, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers
from training import RecordMasks, loop, masks_of, tiny_network, twin, wrappers

import tfmot_onexn
from tfmot_onexn.inspection import summary
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule, soft_uniform
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import blocks, masks, regrow, tf_masks

RAMP = schedule.SoftUniformRamp(0.5, 1, 7, frequency=2, ramp="linear")
CALLBACKS = [UpdatePruningStep, tfmot.UpdatePruningStep]


def soft(model, ramp=RAMP, n=4, **settings):
    return soft_uniform.prune_soft_uniform_1xN(
        model, n, ramp, policy.PruneAll(), **settings
    )


def compiled(model, **settings):
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf_keras.optimizers.SGD(0.05, momentum=0.9), loss, **settings)
    return model


def trained(model, *callbacks, ramp=RAMP, jit_compile=False, **settings):
    """Trains eight steps of eight images."""
    wrapped = compiled(soft(model, ramp, **settings), jit_compile=jit_compile)
    x, y = batch(wrapped, 32)
    callbacks = list(callbacks) or [UpdatePruningStep()]
    wrapped.fit(x, y, 8, 2, verbose=0, shuffle=False, callbacks=callbacks)
    return wrapped


def row_counts(mask, n):
    """The kept blocks of each block row, ``[rows]``."""
    kept_ir = blocks.sum_blocks(mask.astype(int), n) > 0
    return kept_ir.sum(axis=0)


@pytest.fixture(scope="module")
def model():
    tf_keras.utils.set_random_seed(1)
    return tiny_network()


def test_every_row_keeps_the_same_number_of_blocks_at_every_step(model):
    record = RecordMasks()
    wrapped = trained(model, UpdatePruningStep(), record, n=3)
    sparsities = [float(RAMP(step - (step + 1) % 2)[1]) for step in range(1, 9)]
    inputs = [wrapper.layer.kernel.shape[-2] for wrapper in wrappers(wrapped)]
    assert len(record.seen) == 8
    for sparsity, seen in zip(sparsities, record.seen, strict=True):
        for mask, count in zip(seen, inputs, strict=True):
            expected = masks.kept_count(count, sparsity)
            assert set(row_counts(mask, 3)) == {expected}, sparsity


def test_blocks_go_and_come_back_until_the_ramp_ends_and_stand_from_then_on(model):
    record = RecordMasks()
    trained(
        model,
        UpdatePruningStep(),
        record,
        ramp=schedule.SoftUniformRamp(0.5, 1, 6, frequency=1, ramp="linear"),
    )
    returned = [
        bool((after & ~before).any())
        for one, other in zip(record.seen, record.seen[1:], strict=False)
        for before, after in zip(one, other, strict=True)
    ]
    assert any(returned)
    for one, other in zip(record.seen[5:], record.seen[6:], strict=False):
        for before, after in zip(one, other, strict=True):
            np.testing.assert_array_equal(before, after)


def test_masks_are_those_of_the_algorithm_on_the_weights_of_the_step(model):
    class Follow(tf_keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            for wrapper in wrappers(self.model):
                ((weight, mask, _),) = wrapper.pruning_vars
                kept = before[wrapper.name]
                due, sparsity = RAMP(wrapper.pruning_step)
                if due:
                    rows = blocks.num_block_rows(kept.shape[-1], 4)
                    noise = tf_masks.noise(
                        [kept.shape[-2], rows],
                        wrapper._noise_key(0),
                        wrapper.pruning_step,
                    )
                    settings = regrow.Regrowth(4, "l2", 0.5, 0.1)
                    kept, _ = settings.mask(
                        weight.numpy(), kept, float(sparsity), 0.5, noise.numpy()
                    )
                np.testing.assert_array_equal(mask, kept)
                before[wrapper.name] = kept
            steps.append(batch)

    steps = []
    wrapped = soft(model)
    before = {
        wrapper.name: np.ones(wrapper.layer.kernel.shape, bool)
        for wrapper in wrappers(wrapped)
    }
    trained(
        model,
        UpdatePruningStep(),
        Follow(),
        criterion="l2",
        alpha=0.5,
        temperature=0.1,
    )
    assert len(steps) == 8
    assert not all(mask.all() for mask in before.values())


@pytest.mark.parametrize(
    ("criterion", "settings"),
    [
        ("bpar", {}),
        ("l1", {}),
        ("l2", {}),
        # XLA draws other lots, which have no say at this temperature
        ("bpar", {"jit_compile": True, "temperature": 1e-3}),
    ],
)
def test_both_callbacks_choose_the_same_masks(model, criterion, settings):
    ours, theirs = (
        trained(model, callback(), criterion=criterion, **settings)
        for callback in CALLBACKS
    )
    for one, other in zip(masks_of(ours), masks_of(theirs), strict=True):
        assert not one.all()
        np.testing.assert_array_equal(one, other)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5, err_msg=one.name)


def test_the_seed_and_the_name_of_a_layer_choose_the_lot(model):
    first, again, other = (
        masks_of(
            trained(
                model,
                ramp=schedule.SoftUniformRamp(0.5, 1, 30, 1, "linear"),
                seed=seed,
                temperature=math.inf,
            )
        )
        for seed in (0, 0, 1)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any((one != two).any() for one, two in zip(first, other, strict=True))
    keys = {wrapper._noise_key(0) for wrapper in wrappers(soft(model))}
    assert len(keys) == 3


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_the_layer_computes_with_masked_weights_and_keeps_those_behind(
    kernel_size, rng
):
    layer = layers.Conv2D(8, kernel_size, input_shape=(4, 4, 6))
    wrapper = soft_uniform.PruneSoftUniform1xN(layer, schedule.OneShot(0.5), 4)
    model = tf_keras.Sequential([wrapper])
    kernel = layer.kernel.numpy()
    (mask,) = masks_of(model)
    assert mask.mean() == 0.5
    assert (kernel != 0).all()
    x = images(model)
    masked = model(x).numpy()
    layer.kernel.assign(kernel * mask)
    np.testing.assert_array_equal(masked, layer(x))
    layer.kernel.assign(kernel)
    assert relative_error(layer(x), masked) > 0.1
    wrapper.weight_mask_op()
    np.testing.assert_array_equal(layer.kernel, kernel)


def gradients(model, x, y, with_losses):
    with tf.GradientTape() as tape:
        loss = model.loss(y, model(x, training=True))
        if with_losses:
            loss += sum(model.losses)
    return tape.gradient(loss, model.trainable_variables)


@pytest.mark.parametrize("decay", [0.0, 0.25])
def test_gradients_pass_the_mask_and_weights_behind_it_decay(model, decay):
    wrapped = compiled(soft(model, schedule.OneShot(0.5), decay=decay))
    x, y = batch(model, 16)
    found = gradients(wrapped, x, y, with_losses=bool(decay))
    reference = compiled(twin(prune.strip_pruning(wrapped)))
    expected = gradients(reference, x, y, with_losses=False)
    behind = iter(masks_of(wrapped))
    checked = 0
    for variable, one, other in zip(
        wrapped.trainable_variables, found, expected, strict=True
    ):
        other = other.numpy()
        if variable.shape.rank > 1:
            mask = next(behind)
            other = other + decay * ~mask * variable.numpy()
            checked += np.abs(other[~mask]).max() > 1e-4
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert checked == 3
    assert len(wrapped.losses) == (3 if decay else 0)
    assert len(wrappers(wrapped)[0].losses) == bool(decay)


def test_a_loop_of_ones_own_ends_as_fit(model):
    class WithLosses:
        """A loss that adds the model's own, as a loop must."""

        def __init__(self, model):
            self.model, self.loss = model, model.loss

        def __call__(self, labels, outputs):
            return self.loss(labels, outputs) + sum(self.model.losses)

    reference = trained(model, decay=0.1)
    for callback in CALLBACKS:
        wrapped = compiled(soft(model, decay=0.1))
        x, y = batch(wrapped, 32)
        wrapped.loss = WithLosses(wrapped)
        loop(wrapped, x, y, 8, 2, callback())
        for one, other in zip(reference.weights, wrapped.weights, strict=True):
            np.testing.assert_allclose(other, one, atol=1e-6, err_msg=one.name)


def test_one_shot_masks_are_the_best_blocks_of_every_row(model):
    wrapped = soft(model, schedule.OneShot(0.5), criterion="l1")
    for wrapper, mask in zip(wrappers(wrapped), masks_of(wrapped), strict=True):
        expected = masks.block_mask(wrapper.layer.kernel.numpy(), 4, 0.5, uniform=True)
        np.testing.assert_array_equal(mask, expected)


def test_what_is_shipped_is_masked_and_the_weights_behind_stay():
    wrapped = compiled(
        soft_uniform.prune_soft_uniform_1xN(randomize(small_network(2)), 8, RAMP)
    )
    x, y = batch(wrapped, 32)
    wrapped.fit(x, y, 8, 2, verbose=0, callbacks=[UpdatePruningStep()])
    before = [weight.numpy() for weight in wrapped.weights]
    names = [layer.name for layer in wrapped.layers]
    content = tfmot_onexn.convert_to_tflite(wrapped)
    rows = {row.name: row for row in summary(wrapped).layers}
    stripped = prune.strip_pruning(wrapped)
    for old, new in zip(before, wrapped.weights, strict=True):
        np.testing.assert_array_equal(new, old)
    assert [layer.name for layer in wrapped.layers] == names
    assert tfmot_onexn.convert_to_tflite(stripped) == content
    assert relative_error(stripped(x), wrapped(x)) <= 1e-6
    for name in ("expand", "project", "head"):
        assert (stripped.get_layer(name).kernel.numpy() == 0).mean() == 0.5
        assert rows[name].sparsity == 0.5


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(12, 3, groups=2, padding="same"),
        layers.Conv2D(10, 1),
        layers.Conv1D(10, 3, padding="same"),
        layers.SeparableConv2D(10, 3),
    ],
    ids=["grouped", "narrow row", "Conv1D", "separable"],
)
@pytest.mark.parametrize("callback", CALLBACKS)
def test_layers_of_all_kinds_train(layer, callback, rng):
    axes = 3 if isinstance(layer, layers.Conv1D) else 4
    wrapper = soft_uniform.prune_soft_uniform_1xN(
        type(layer).from_config(layer.get_config()), 4, RAMP
    )
    model = tf_keras.Sequential([layers.Input((6,) * (axes - 2) + (8,)), wrapper])
    model.compile("sgd", "mse")
    x = images(model, 16)
    y = np.zeros((16, *model.output_shape[1:]))
    model.fit(x, y, 2, verbose=0, callbacks=[callback()])
    ((weight, mask, _),) = wrapper.pruning_vars
    groups = getattr(layer, "groups", 1)
    kept_ir = blocks.sum_blocks(mask.numpy(), 4, groups) > 0
    assert set(kept_ir.sum(axis=0)) == {masks.kept_count(weight.shape[-2], 0.5)}


def test_layers_and_lists_are_wrapped_as_by_its_siblings():
    wrapper = soft_uniform.prune_soft_uniform_1xN(
        layers.Dense(8), 4, RAMP, name="mine", latent=True
    )
    assert (wrapper.name, wrapper.block_size) == ("mine", 4)
    relu, wrapped = soft_uniform.prune_soft_uniform_1xN(
        [layers.ReLU(), layers.Dense(8)], 4, RAMP
    )
    assert isinstance(relu, layers.ReLU)
    assert isinstance(wrapped, soft_uniform.PruneSoftUniform1xN)


def test_the_model_passed_in_is_not_changed(model):
    before = [w.numpy() for w in model.weights]
    trained(model)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(new, old)


def test_every_option_survives_the_config():
    wrapper = soft_uniform.PruneSoftUniform1xN(
        *(layers.Dense(8), RAMP, 8, "l2", 0.5, math.inf, 1e-3, 7, "l2", True),
        name="mine",
    )
    config = wrapper.get_config()
    again = soft_uniform.PruneSoftUniform1xN.from_config(config)
    assert again.get_config() == config
    assert again.regrowth == regrow.Regrowth(8, "l2", 0.5, math.inf, "l2", True)
    assert (again.decay, again.seed, again.name) == (1e-3, 7, "mine")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 9}, r"Layer 'wide' has 8 output channels, fewer than N = 9"),
        ({"n": 0}, "at least 1, found 0"),
        ({"pruning_schedule": None}, r"must know how long: pass .*from_epochs"),
        ({"decay": -1}, r"decay must be a finite.*found -1\. The paper's is 2e-4"),
        ({"decay": math.nan}, "found nan"),
        ({"criterion": "best"}, "criterion 'best'"),
        ({"temperature": -1.0}, "temperature must be above 0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    settings = {"n": 4, "pruning_schedule": RAMP, **arguments}
    with pytest.raises(ValueError, match=message):
        soft_uniform.prune_soft_uniform_1xN(layers.Dense(8, name="wide"), **settings)


def test_a_model_with_nothing_to_prune_is_refused():
    with pytest.raises(ValueError, match="PrunePointwise found nothing to prune"):
        soft_uniform.prune_soft_uniform_1xN(
            tf_keras.Sequential([layers.Dense(4, input_shape=(3,))]), 2, RAMP
        )
