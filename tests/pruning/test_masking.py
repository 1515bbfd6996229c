import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import images, relative_error, small_network
from tf_keras import layers
from training import wrappers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import masking, policy, prune, schedule
from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN


def built(wrapper, shape=(2, 4, 4, 6)):
    wrapper(tf.zeros(shape))
    return wrapper


class Scaled(layers.Conv2D):
    """A subclass with arithmetic of its own."""

    def call(self, inputs):
        return 2.0 * super().call(inputs)


class TwoKernels(layers.Layer):
    def build(self, input_shape):
        self.first = self.add_weight("first", (input_shape[-1], 8))
        self.rest = [self.add_weight("second", (8, 4))]

    def get_prunable_weights(self):
        return [self.first, self.rest[0]]

    def call(self, inputs, training=None):
        hidden = inputs @ self.first
        return (hidden if training else 2 * hidden) @ self.rest[0]


@pytest.mark.parametrize("layer", [Scaled(8, 1), TwoKernels()])
def test_subclasses_and_prunable_layers_compute_with_masked_weights(layer, rng):
    wrapper = built(PruneLowMagnitude1xN(layer))
    x = rng.normal(size=(2, 4, 4, 6)).astype(np.float32)
    for weight, mask, _ in wrapper.pruning_vars:
        assert 0.4 < mask.numpy().mean() < 0.6
        weight.assign(rng.normal(size=weight.shape))
    masked = wrapper(x).numpy()
    unmasked = layer(x).numpy()
    wrapper.weight_mask_op()
    np.testing.assert_allclose(masked, layer(x), rtol=1e-5)
    assert np.abs(masked - unmasked).max() > 0.1


def test_training_flag_reaches_the_layer(rng):
    wrapper = built(PruneLowMagnitude1xN(TwoKernels()))
    x = rng.normal(size=(2, 4, 4, 6)).astype(np.float32)
    np.testing.assert_allclose(
        wrapper(x, training=False), 2 * wrapper(x, training=True), rtol=1e-6
    )


def test_time_steps_that_keras_masks_stay_masked(rng):
    model = tf_keras.Sequential(
        [
            layers.Masking(input_shape=(5, 6)),
            layers.Dense(8, bias_initializer="ones"),
            layers.LSTM(4, return_sequences=True),
            layers.LSTM(4),
        ]
    )
    pruned = prune.prune_weights(
        model, schedule.OneShot(0.0), pruning_policy=policy.PruneAll()
    )
    assert [type(x.layer) for x in wrappers(pruned)] == [
        *(layers.Dense, layers.LSTM, layers.LSTM)
    ]
    x = rng.normal(size=(2, 5, 6)).astype(np.float32)
    x[:, 3:] = 0
    np.testing.assert_allclose(pruned(x), model(x), rtol=1e-5)
    # what is masked must matter: without the first layer all five steps count
    unmasked = tf_keras.Sequential(model.layers[1:])
    assert np.abs(model(x) - unmasked(x)).max() > 1e-3


def test_an_input_shape_given_with_a_layer_counts():
    wrapper = prune.prune_weights(layers.Embedding(10, 3), input_shape=(5,))
    assert tf_keras.Sequential([wrapper]).output_shape == (None, 5, 3)


def test_as_stripped_applies_the_masks_and_takes_them_off_for_a_while():
    pruned = prune.prune_low_magnitude_1xN(randomize(small_network()))
    names = [layer.name for layer in pruned.layers]
    x = images(pruned)
    expected = pruned(x)
    found = wrappers(pruned)
    weight, mask, _ = found[0].pruning_vars[0]
    weight.assign_add(1.0 - mask)
    with pytest.raises(RuntimeError, match="on the way"), masking.as_stripped(pruned):
        assert relative_error(pruned(x), expected) <= 1e-6
        assert [wrapper.name for wrapper in found] == ["expand", "project", "head"]
        # the masks are off: what is set now counts
        weight.assign_add(1.0 - mask)
        assert relative_error(pruned(x), expected) > 0.1
        raise RuntimeError("on the way")
    assert [layer.name for layer in pruned.layers] == names
    assert relative_error(pruned(x), expected) <= 1e-6
