import numpy as np
import pytest
import tf_keras
from graphs import batch, compiled, images, relative_error, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.graph import shrink
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.pruning.filters import PruneFilters
from tfmot_onexn.sparsity import masks

EVERY_CONVOLUTION = policy.PruneConvolutions(stem=True)


def filters_left(model):
    stripped = prune.strip_pruning(model)
    return {
        layer.name: int((layer.kernel.numpy() != 0).any(axis=(0, 1, 2)).sum())
        for layer in stripped.layers
        if type(layer) is tf_keras.layers.Conv2D
    }


def test_a_group_is_pruned_if_all_that_make_it_may_be():
    pruned = prune.prune_filters(small_network())
    left = filters_left(pruned)
    assert left == {"stem": 8, "expand": 12, "project": 8, "head": 16}
    pruned = prune.prune_filters(
        small_network(), schedule.OneShot(0.75), EVERY_CONVOLUTION
    )
    assert filters_left(pruned) == {"stem": 2, "expand": 6, "project": 2, "head": 8}


def test_tied_layers_choose_by_their_summed_norms():
    model = randomize(small_network())
    pruned = prune.prune_filters(model, pruning_policy=EVERY_CONVOLUTION)
    kernels = [model.get_layer(name).kernel.numpy() for name in ("stem", "project")]
    expected = masks.filter_mask(kernels, 0.5)
    for name in ("stem", "project"):
        kernel = prune.strip_pruning(pruned).get_layer(name).kernel.numpy()
        np.testing.assert_array_equal((kernel != 0).any(axis=(0, 1, 2)), expected)


@pytest.mark.parametrize("trained", [False, True])
def test_shrunk_model_keeps_the_outputs_of_the_masked_one(trained):
    model = randomize(small_network())
    pruned = prune.prune_filters(model, pruning_policy=EVERY_CONVOLUTION)
    if trained:
        compiled(pruned).fit(*batch(pruned), epochs=2, verbose=0)
    x = images(model)
    stripped = prune.strip_pruning(pruned)
    small = shrink.shrink_filters(stripped)
    assert small.get_layer("expand").filters == 12
    assert small.get_layer("stem").filters == 4
    assert small.count_params() < 0.5 * model.count_params()
    np.testing.assert_allclose(stripped(x), pruned(x), rtol=1e-5, atol=1e-6)
    assert relative_error(small(x), pruned(x)) <= 1e-5
    assert relative_error(small(x), model(x)) > 0.1


def test_our_callback_prunes_filters_gradually():
    pruned = prune.prune_filters(
        small_network(),
        tfmot.PolynomialDecay(0.0, 0.5, 0, 6, frequency=3),
        EVERY_CONVOLUTION,
    )
    seen = []
    for _ in range(2):
        compiled(pruned).fit(
            *batch(pruned), 8, verbose=0, callbacks=[UpdatePruningStep()]
        )
        seen.append(filters_left(pruned)["head"])
    assert 32 > seen[0] > seen[1] == 16
    x = images(pruned)
    small = shrink.shrink_filters(prune.strip_pruning(pruned))
    assert relative_error(small(x), pruned(x)) <= 1e-5


def test_tfmots_callback_cannot_and_says_so():
    pruned = prune.prune_filters(small_network(), tfmot.ConstantSparsity(0.5, 1))
    with pytest.raises(ValueError, match=r"Train with tfmot_onexn\.UpdatePruningStep"):
        compiled(pruned).fit(
            *batch(pruned), verbose=0, callbacks=[tfmot.UpdatePruningStep()]
        )


def test_wrapped_model_saves_and_loads(tmp_path):
    pruned = prune.prune_filters(randomize(small_network()), saliency="l2")
    path = str(tmp_path / "model.keras")
    pruned.save(path)
    loaded = tf_keras.models.load_model(path)
    x = images(pruned)
    np.testing.assert_array_equal(loaded(x), pruned(x))
    one = next(layer for layer in loaded.layers if isinstance(layer, PruneFilters))
    assert one.saliency == "l2"
    assert one.pruning_schedule.target_sparsity == 0.5


def test_a_model_whose_filters_must_all_stay_is_refused():
    image = tf_keras.layers.Input((4, 4, 3))
    x = tf_keras.layers.Conv2D(8, 1, name="only")(image)
    model = tf_keras.Model(image, x, name="mine")
    with pytest.raises(ValueError, match="No filter of 'mine' can be removed"):
        prune.prune_filters(model, pruning_policy=policy.PruneAll())


def test_separable_and_transposed_convolutions_shrink():
    image = layers.Input((8, 8, 3))
    x = layers.SeparableConv2D(16, 3, name="separable")(image)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(16, 3, activation="relu")(layers.ReLU()(x))
    x = layers.Conv2DTranspose(8, 3)(x)
    model = randomize(tf_keras.Model(image, layers.Conv2D(4, 1, name="end")(x)))
    masked = prune.strip_pruning(
        prune.prune_filters(model, schedule.OneShot(0.5), EVERY_CONVOLUTION)
    )
    small = shrink.shrink_filters(masked)
    assert small.get_layer("separable").filters == 8
    x = images(model)
    assert relative_error(small(x), masked(x)) <= 1e-5
    assert relative_error(masked(x), model(x)) > 0.1
