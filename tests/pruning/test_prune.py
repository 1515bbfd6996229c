import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, compiled, images, relative_error, small_network
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.graph import rearrange as rearrange_lib
from tfmot_onexn.graph import shrink
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.sparsity import masks


def wrapped_names(model):
    return [x.layer.name for x in model.layers if isinstance(x, MaskingWrapper)]


def tfmot_mask(kernel, sparsity, block_size):
    """The mask that tfmot's own code computes."""
    pruning = pruning_impl.Pruning(
        training_step_fn=lambda: tf.constant(0),
        pruning_vars=[],
        pruning_schedule=tfmot.ConstantSparsity(sparsity, 0),
        block_size=block_size,
        block_pooling_type="AVG",
    )
    return pruning._maybe_update_block_mask(tf.constant(kernel))[1].numpy() == 1


@settings(max_examples=40)
@given(
    # tfmot itself fails where an axis of its block view has length 1
    st.integers(2, 20),
    st.integers(2, 6),
    st.sampled_from([1, 2, 4, 8]),
    st.floats(0, 1, exclude_max=True, width=32),
    st.integers(0, 2**32 - 1),
)
def test_masks_are_those_of_tfmot_on_dense_kernels(inputs, rows, n, sparsity, seed):
    kernel = np.random.default_rng(seed).normal(size=(inputs, rows * n))
    kernel = kernel.astype(np.float32)
    np.testing.assert_array_equal(
        masks.block_mask(kernel, n, sparsity), tfmot_mask(kernel, sparsity, (1, n))
    )
    np.testing.assert_array_equal(
        masks.weight_mask(kernel, sparsity), tfmot_mask(kernel, sparsity, (1, 1))
    )


@pytest.mark.parametrize(
    "method", [prune.prune_low_magnitude_1xN, prune.prune_weights, prune.prune_filters]
)
def test_the_model_passed_in_is_never_changed(method):
    model = randomize(small_network())
    before = [w.numpy() for w in model.weights]
    config = model.get_config()
    pruned = compiled(method(model))
    pruned.fit(*batch(pruned), verbose=0, callbacks=[UpdatePruningStep()])
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert model.get_config() == config


@pytest.mark.parametrize("rearrange", ["auto", "swaps", "assignment", "l1", "none"])
def test_rearrangement_keeps_the_function_and_more_of_the_weights(rearrange):
    model = randomize(small_network())
    x = images(model)
    nothing_gone = prune.prune_low_magnitude_1xN(
        model, 8, schedule.OneShot(0.0), rearrange=rearrange
    )
    assert relative_error(nothing_gone(x), model(x)) <= 1e-5

    def kept(rearrange):
        pruned = prune.prune_low_magnitude_1xN(model, 8, rearrange=rearrange)
        return sum(
            np.abs(prune.strip_pruning(pruned).get_layer(name).kernel).sum()
            for name in wrapped_names(pruned)
        )

    if rearrange == "none":
        assert kept("none") < kept("auto")
    else:
        assert kept(rearrange) > kept("none")


def test_auto_rearranges_for_the_final_sparsity_of_a_schedule():
    model = randomize(small_network())
    gradual = tfmot.PolynomialDecay(0.0, 0.75, 0, 10)
    late = prune.prune_low_magnitude_1xN(model, 8, gradual)
    at_once = prune.prune_low_magnitude_1xN(model, 8, schedule.OneShot(0.75))
    one, other = late.get_layer, at_once.get_layer
    np.testing.assert_array_equal(one("stem").kernel, other("stem").kernel)
    expand = "prune_low_magnitude_1xn_expand"
    kept = other(expand).pruning_vars[0][1].numpy().astype(bool)
    np.testing.assert_array_equal(
        one(expand).layer.kernel.numpy()[kept], other(expand).layer.kernel.numpy()[kept]
    )


def test_wrapped_models_are_not_rearranged_under_their_masks(caplog):
    caplog.set_level("INFO", "tfmot_onexn")
    once = prune.prune_low_magnitude_1xN(randomize(small_network()))
    twice = prune.prune_low_magnitude_1xN(once, pruning_policy=policy.PruneAll())
    assert "has pruning wrappers, whose masks would not follow" in caplog.text
    assert wrapped_names(twice) == [
        *("stem", "expand", "project", "head", "classifier")
    ]
    expected = prune.strip_pruning(once).get_layer("head").kernel
    actual = prune.strip_pruning(twice).get_layer("head").kernel
    np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ValueError, match=r"'swaps' is not possible: .* wrappers"):
        prune.prune_low_magnitude_1xN(once, rearrange="swaps")
    for change in (rearrange_lib.rearrange, shrink.shrink_filters):
        with pytest.raises(ValueError, match=r"'small' has pruning wrappers. Strip"):
            change(once)


def test_layers_and_lists_are_wrapped_as_they_are():
    dense = layers.Dense(8)
    wrapper = prune.prune_low_magnitude_1xN(dense, n=2, name="mine")
    assert wrapper.layer is dense
    assert (wrapper.name, wrapper.pattern.n) == ("mine", 2)
    members = [layers.Flatten(), wrapper, layers.Dense(4)]
    flat, same, last = prune.prune_low_magnitude_1xN(members)
    assert flat is members[0]
    assert same is wrapper
    assert last.layer is members[2]
    model = tf_keras.Sequential([layers.InputLayer((3, 2)), flat, same, last])
    assert prune.strip_pruning(model).layers[-1].units == 4


def test_policy_chooses_layers_also_inside_a_model_in_the_model():
    image = layers.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(2, name="end")(small_network()(image)))
    pruned = prune.prune_low_magnitude_1xN(
        model, pruning_policy=policy.PrunePointwise(classifier=True)
    )
    inner = pruned.get_layer("small")
    assert wrapped_names(inner) == ["expand", "project", "head", "classifier"]
    assert wrapped_names(pruned) == ["end"]
    stripped = prune.strip_pruning(pruned)
    assert wrapped_names(stripped.get_layer("small")) == []
    x = images(model)
    np.testing.assert_allclose(stripped(x), pruned(x), rtol=1e-5)


def test_weights_pruned_already_stay_pruned():
    once = prune.prune_low_magnitude_1xN(
        small_network(),
        pruning_policy=policy.PruneAll(),
        rearrange="none",
        pruning_schedule=schedule.OneShot(0.75),
    )
    twice = prune.prune_weights(once, pruning_policy=policy.PruneAll())
    assert wrapped_names(twice) == wrapped_names(once)
    for old, new in zip(once.weights, twice.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_strip_sets_pruned_weights_to_zero_whatever_they_hold():
    pruned = prune.prune_low_magnitude_1xN(small_network())
    wrapper = pruned.get_layer("prune_low_magnitude_1xn_head")
    wrapper.layer.kernel.assign(tf.ones_like(wrapper.layer.kernel))
    stripped = prune.strip_pruning(pruned)
    np.testing.assert_array_equal(
        stripped.get_layer("head").kernel, wrapper.pruning_vars[0][1]
    )
    assert (wrapper.layer.kernel.numpy() == 1).all()
    assert wrapped_names(stripped) == []


def test_strip_takes_models_that_tfmot_has_wrapped():
    model = tf_keras.Sequential([layers.Dense(8, input_shape=(4,)), layers.Dense(2)])
    pruned = tfmot.prune_low_magnitude(model, tfmot.ConstantSparsity(0.5, 1))
    pruned.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(32, 4))
    pruned.fit(x, x[:, :2], verbose=0, callbacks=[tfmot.UpdatePruningStep()])
    stripped = prune.strip_pruning(pruned)
    assert (stripped.layers[0].kernel.numpy() == 0).mean() == 0.5


def test_scope_lets_tfmots_wrapped_models_load(tmp_path):
    model = tf_keras.Sequential([layers.Dense(8, input_shape=(4,))])
    path = str(tmp_path / "model.keras")
    tfmot.prune_low_magnitude(model).save(path)
    with prune.prune_scope():
        assert tf_keras.models.load_model(path).layers[0].layer.units == 8


def test_a_schedule_outside_the_range_is_refused():
    class TooMuch(tfmot.ConstantSparsity):
        def __call__(self, step):
            return tf.constant(False), tf.constant(1.0)

    with pytest.raises(ValueError, match=r"lie in \[0, 1\)"):
        prune.prune_low_magnitude_1xN(small_network(), pruning_schedule=TooMuch(0.5, 0))
