import pytest
import tf_keras
from graphs import small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.pruning import policy


def names(model, chosen_by):
    return [layer.name for layer in policy.chosen_layers(model, chosen_by)]


def test_pointwise_spares_the_classifier_unless_asked():
    model = small_network()
    assert names(model, policy.PrunePointwise()) == ["expand", "project", "head"]
    assert names(model, policy.PrunePointwise(classifier=True)) == [
        "expand",
        "project",
        "head",
        "classifier",
    ]


def test_convolutions_spare_the_stem_unless_asked():
    model = small_network()
    pruned = names(model, policy.PruneConvolutions(stem=True))
    assert pruned == ["stem", "expand", "project", "head"]
    assert names(model, policy.PruneConvolutions()) == pruned[1:]
    assert names(model, policy.PruneAll()) == [*pruned, "classifier"]


@pytest.mark.parametrize(
    ("name", "classifier"),
    [("MobileNet", "conv_preds"), ("MobileNetV3Small", "Logits")],
)
def test_a_classifier_that_is_a_convolution_is_known(name, classifier):
    model = getattr(tf_keras.applications, name)((32, 32, 3), weights=None)
    assert classifier not in names(model, policy.PrunePointwise())
    assert classifier in names(model, policy.PrunePointwise(classifier=True))


def test_the_last_convolution_of_a_headless_network_is_no_classifier():
    model = tf_keras.applications.MobileNetV2(
        (64, 64, 3), 0.35, weights=None, include_top=False
    )
    assert names(model, policy.PrunePointwise())[-1] == "Conv_1"


def test_layers_of_a_model_inside_a_model_are_chosen():
    inner = small_network()
    image = layers.Input((8, 8, 3))
    model = tf_keras.Model(image, layers.Dense(2, name="last")(inner(image)))
    assert "expand" in names(model, policy.PrunePointwise())


def test_policies_of_tfmot_choose_as_they_say():
    class Heads(tfmot.PruningPolicy):
        def allow_pruning(self, layer):
            return layer.name in ("head", "classifier")

        def ensure_model_supports_pruning(self, model):
            pass

    assert names(small_network(), Heads()) == ["head", "classifier"]


def test_an_unbuilt_model_has_no_known_ends():
    model = tf_keras.Sequential([layers.Conv2D(8, 1, name="first")])
    assert names(model, policy.PrunePointwise()) == ["first"]


def test_a_model_with_nothing_to_prune_is_refused():
    model = tf_keras.Sequential(
        [layers.Conv2D(8, 3), layers.ReLU(), layers.Dense(2)], name="mine"
    )
    with pytest.raises(
        ValueError,
        match=r"PrunePointwise found nothing to prune in 'mine': it prunes 1x1 "
        r"convolutions, the model has Conv2D, Dense, ReLU.*PruneAll\(\)",
    ):
        policy.PrunePointwise().ensure_model_supports_pruning(model)


def test_what_has_no_blocks_is_sent_to_weight_pruning_or_given_a_method():
    memory = tf_keras.Sequential([layers.LSTM(4, input_shape=(5, 6))], name="mine")
    assert names(memory, policy.PruneAll()) == []
    (chosen,) = policy.chosen_layers(memory, policy.PruneAll(), "weight")
    assert chosen is memory.layers[0]
    with pytest.raises(ValueError, match=r"to prune in 'mine'.* LSTM.*prune_weights"):
        policy.require_chosen(memory, policy.PruneAll(), "block")
    bare = tf_keras.Sequential([layers.ReLU()], name="bare")
    with pytest.raises(ValueError, match=r"'bare'.*ReLU\. Give .*get_prunable_weights"):
        policy.PruneAll().ensure_model_supports_pruning(bare)
