import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, compiled, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.pruning import prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN
from tfmot_onexn.sparsity import masks


def built(wrapper, shape=(2, 4, 4, 6)):
    wrapper(tf.zeros(shape))
    return wrapper


def mask_of(wrapper, index=0):
    return wrapper.pruning_vars[index][1].numpy().astype(bool)


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"n": 4}, masks.Pattern(n=4)),
        ({"n": 8, "uniform": True}, masks.Pattern(n=8, uniform=True)),
        ({"n": 2, "saliency": "l2"}, masks.Pattern(n=2, saliency="l2")),
        ({"granularity": "weight"}, masks.Pattern("weight")),
    ],
)
@pytest.mark.parametrize("kernel_size", [1, 3])
def test_one_shot_masks_stand_when_the_layer_is_built(settings, pattern, kernel_size):
    layer = layers.Conv2D(20, kernel_size, kernel_initializer="he_normal")
    layer.build((None, 4, 4, 6))
    kernel = layer.kernel.numpy()
    wrapper = built(PruneLowMagnitude1xN(layer, schedule.OneShot(0.6), **settings))
    expected = pattern.mask(kernel, 0.6)
    np.testing.assert_array_equal(mask_of(wrapper), expected)
    np.testing.assert_array_equal(layer.kernel, kernel * expected)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(wrapper(x), layer(x), rtol=1e-6)


def test_set_weights_prunes_the_new_weights(rng):
    wrapper = built(PruneLowMagnitude1xN(layers.Conv2D(8, 1, use_bias=False)))
    kernel = rng.normal(size=(1, 1, 6, 8)).astype(np.float32)
    wrapper.set_weights([kernel])
    np.testing.assert_array_equal(mask_of(wrapper), masks.block_mask(kernel, 4, 0.5))


def test_pruned_weights_get_no_gradient_and_stay_zero():
    pruned = compiled(prune.prune_low_magnitude_1xN(small_network()))
    before = {w.name: mask_of(w) for w in wrappers(pruned)}
    start = [w.layer.kernel.numpy() for w in wrappers(pruned)]
    pruned.fit(*batch(pruned), epochs=3, verbose=0)
    for wrapper, kernel in zip(wrappers(pruned), start, strict=True):
        mask = mask_of(wrapper)
        np.testing.assert_array_equal(mask, before[wrapper.name])
        trained = wrapper.layer.kernel.numpy()
        assert (trained[~mask] == 0).all()
        assert (trained[mask] != kernel[mask]).mean() > 0.5


def wrappers(model):
    return [x for x in model.layers if isinstance(x, PruneLowMagnitude1xN)]


def gradual():
    return tfmot.PolynomialDecay(0.1, 0.6, begin_step=1, end_step=7, frequency=2)


def trained(callback, model, jit_compile=False):
    pruned = prune.prune_low_magnitude_1xN(model, 4, gradual(), rearrange="none")
    compiled(pruned, jit_compile=jit_compile)
    x, y = batch(pruned, 32)
    pruned.fit(x, y, 8, 2, verbose=0, shuffle=False, callbacks=[callback])
    return pruned


@pytest.mark.parametrize("jit_compile", [False, True])
def test_both_callbacks_train_alike_and_as_a_loop_in_numpy(jit_compile):
    model = small_network()
    ours = trained(UpdatePruningStep(), model, jit_compile)
    theirs = trained(tfmot.UpdatePruningStep(), model, jit_compile)
    for one, other in zip(wrappers(ours), wrappers(theirs), strict=True):
        np.testing.assert_array_equal(mask_of(one), mask_of(other))
        blocks = mask_of(one).size // 4
        assert mask_of(one).sum() == 4 * masks.kept_count(blocks, 0.6)
        assert int(one.pruning_step) == int(other.pruning_step) == 8
        for mine, its in zip(one.pruning_vars, other.pruning_vars, strict=True):
            np.testing.assert_allclose(mine[0], its[0], atol=1e-5)
            np.testing.assert_allclose(mine[2], its[2], rtol=1e-4)

    reference = tf_keras.models.clone_model(model)
    reference.set_weights(model.get_weights())
    expected = numpy_loop(compiled(reference))
    for wrapper in wrappers(ours):
        kernel = expected.get_layer(wrapper.layer.name).kernel
        np.testing.assert_allclose(wrapper.layer.kernel, kernel, atol=1e-5)


def numpy_loop(model):
    """Trains with masks that NumPy computes and applies before each step."""
    kernels = [model.get_layer(n).kernel for n in ("expand", "project", "head")]
    kept = [np.ones(kernel.shape) for kernel in kernels]
    x, y = batch(model, 32)
    for step in range(1, 9):
        prune_now, sparsity = gradual()(tf.constant(step, tf.int64))
        for index, kernel in enumerate(kernels):
            if prune_now:
                masked = kernel.numpy() * kept[index]
                kept[index] = masks.block_mask(masked, 4, float(sparsity))
            kernel.assign(kernel * kept[index])
        start = 8 * ((step - 1) % 4)
        model.train_on_batch(x[start : start + 8], y[start : start + 8])
        for kernel, mask in zip(kernels, kept, strict=True):
            kernel.assign(kernel * mask)
    return model


def test_a_schedule_without_callback_is_an_error_that_names_it():
    pruned = compiled(
        prune.prune_low_magnitude_1xN(small_network(), 4, gradual(), rearrange="l1")
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="UpdatePruningStep"):
        pruned.fit(*batch(pruned), verbose=0)


def test_evaluation_neither_counts_nor_prunes():
    pruned = trained(UpdatePruningStep(), small_network())
    before = [w.numpy() for w in pruned.weights]
    pruned.evaluate(*batch(pruned), verbose=0)
    for old, new in zip(before, pruned.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_every_option_survives_the_config():
    wrapper = PruneLowMagnitude1xN(
        layers.Dense(8), gradual(), "weight", 16, True, "l2", name="mine"
    )
    config = wrapper.get_config()
    again = PruneLowMagnitude1xN.from_config(config)
    assert again.get_config() == config
    assert again.pattern == wrapper.pattern
    assert (again.name, again.layer.units) == ("mine", 8)


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "saved_model"])
def test_a_wrapped_model_saves_loads_and_resumes(tmp_path, name):
    pruned = prune.prune_low_magnitude_1xN(small_network(), 4, gradual())
    # without momentum, which Keras does not restore from a SavedModel
    compiled(pruned, momentum=0.0)
    x, y = batch(pruned, 32)
    fit = {"batch_size": 8, "verbose": 0, "shuffle": False}
    pruned.fit(x, y, **fit, callbacks=[UpdatePruningStep()])
    path = str(tmp_path / name)
    pruned.save(path)
    loaded = tf_keras.models.load_model(path)
    for old, new in zip(pruned.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), pruned.predict(x, verbose=0), rtol=1e-5
    )
    for each in (pruned, loaded):
        each.fit(x, y, **fit, callbacks=[UpdatePruningStep()])
        for wrapper in each.layers:
            if "prune" in wrapper.name:
                assert int(wrapper.pruning_step) == 8
    for old, new in zip(pruned.weights, loaded.weights, strict=True):
        np.testing.assert_allclose(old, new, atol=2e-5)


def test_a_layer_with_nothing_to_prune_is_refused():
    with pytest.raises(ValueError, match=r"'flat' \(Flatten\) has no kernel"):
        PruneLowMagnitude1xN(layers.Flatten(name="flat"))
    with pytest.raises(ValueError, match="a string"):
        PruneLowMagnitude1xN("a string")


def test_a_weight_without_input_axis_is_refused_by_name():
    class Vector(layers.Layer):
        def build(self, input_shape):
            self.scale = self.add_weight("scale", (input_shape[-1],))

        def get_prunable_weights(self):
            return [self.scale]

    with pytest.raises(ValueError, match=r"'mine' gives.*shape \[6\].*prune_weights"):
        built(PruneLowMagnitude1xN(Vector(name="mine")))
