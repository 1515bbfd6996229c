import keras
import pytest
import tf_keras
from graphs import small_network
from tf_keras import layers

from tfmot_onexn.pruning import checks, policy, prune
from tfmot_onexn.sparsity.masks import Pattern


def test_auto_leaves_filters_in_order_where_there_is_no_graph(caplog):
    caplog.set_level("INFO", "tfmot_onexn")
    model = tf_keras.Sequential([layers.Conv2D(8, 1), layers.Conv2D(4, 1)])
    pruned = prune.prune_low_magnitude_1xN(model)
    assert "Filters stay in order: the model has no graph until" in caplog.text
    pruned.build((None, 4, 4, 6))
    kernel = pruned.layers[0].layer.kernel.numpy()
    assert (kernel == 0).mean() == 0.5
    with pytest.raises(ValueError, match=r"rearrange='swaps' is not possible.*'none'"):
        prune.prune_low_magnitude_1xN(model, rearrange="swaps")
    with pytest.raises(ValueError, match=r"rearrange='l1' is not .* single layers"):
        prune.prune_low_magnitude_1xN(layers.Dense(8), rearrange="l1")


class Subclassed(tf_keras.Model):
    pass


SMALL = small_network()


@pytest.mark.parametrize(
    ("to_prune", "arguments", "message"),
    [
        (SMALL, {"n": 0}, r"block size N .* at least 1, found 0"),
        (SMALL, {"saliency": "taylor"}, r"saliency 'taylor'"),
        (SMALL, {"rearrange": "best"}, r"rearrangement 'best'; choose .*'swaps'"),
        (layers.Dense(8, name="few"), {"n": 16}, r"'few' has 8 .*fewer than N = 16"),
        (layers.ReLU(name="act"), {}, r"'act' \(ReLU\) has no kernel"),
        (
            Subclassed(name="mine"),
            {},
            r"'mine' \(Subclassed\) .*one by one",
        ),
        (
            keras.Sequential(name="three"),
            {},
            r"'three' is a Keras 3.*from_keras3",
        ),
        (keras.layers.Dense(8), {}, r"Keras 3 object"),
        ("model.keras", {}, r"found 'model.keras' \(str\)"),
        ([layers.Dense(8), 3], {}, r"found 3 \(int\)"),
        (
            tf_keras.Sequential([layers.ReLU()], "bare"),
            {},
            r"to prune in 'bare'",
        ),
    ],
)
def test_what_cannot_be_pruned_is_refused(to_prune, arguments, message):
    with pytest.raises(ValueError, match=message):
        prune.prune_low_magnitude_1xN(to_prune, **arguments)


def test_strip_refuses_what_it_cannot_rebuild():
    with pytest.raises(ValueError, match=r"'mine' \(Subclassed\) is subclassed"):
        prune.strip_pruning(Subclassed(name="mine"))
    with pytest.raises(ValueError, match=r"Expected a tf_keras model, found 5 \(int\)"):
        prune.strip_pruning(5)
    with pytest.raises(ValueError, match=r"'mine' \(Subclassed\) is subclassed"):
        prune.rearranged(
            Subclassed(name="mine"),
            Pattern(),
            0.5,
            "l1",
            pruning_policy=policy.PrunePointwise(),
        )


def test_a_layer_is_no_model():
    assert checks.is_single_layer(layers.Dense(8))
    assert not checks.is_single_layer(SMALL)
    assert not checks.is_single_layer([layers.Dense(8)])
