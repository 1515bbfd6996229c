import pytest
import tensorflow as tf
from tf_keras import layers

from tfmot_onexn.pruning import prunable


class Sub(layers.Conv2D):
    pass


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (layers.Conv2D(8, 1), "kernel"),
        (Sub(8, 1), "kernel"),
        (layers.Dense(8), "kernel"),
        (layers.SeparableConv2D(8, 3), "pointwise_kernel"),
        (layers.DepthwiseConv2D(3), None),
        (layers.Conv2DTranspose(8, 3), None),
        (layers.ReLU(), None),
    ],
)
def test_kernel_of_each_kind_of_layer(layer, name):
    assert prunable.kernel_name(layer) == name
    assert prunable.is_prunable(layer) == (name is not None)
    layer.build((None, 4, 4, 16))
    weights = prunable.prunable_weights(layer)
    assert [w is getattr(layer, name) for w in weights] == [True] * bool(name)


class OwnCell(layers.Layer):
    state_size = 4

    def build(self, input_shape):
        self.inputs = self.add_weight("inputs", (input_shape[-1], 4))

    def get_prunable_weights(self):
        return [self.inputs]

    def call(self, inputs, states):
        return inputs @ self.inputs + states[0], [states[0]]


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (layers.Dense(8), [(6, 8)]),
        (layers.Embedding(10, 3), [(10, 3)]),
        (layers.Conv2DTranspose(8, 3), [(3, 3, 8, 6)]),
        (layers.LocallyConnected1D(4, 2), [(4, 12, 4)]),
        (layers.LSTM(4), [(6, 16), (4, 16)]),
        (layers.RNN([layers.GRUCell(4), OwnCell()]), [(6, 12), (4, 12), (4, 4)]),
        (layers.BatchNormalization(), []),
        (layers.DepthwiseConv2D(3), []),
        (layers.ConvLSTM2D(2, 3), []),
    ],
)
def test_single_weights_are_pruned_wherever_tfmot_prunes_them(layer, shapes):
    assert prunable.is_prunable(layer, "weight") == bool(shapes)
    assert prunable.is_prunable(layer) == isinstance(layer, layers.Dense)
    if shapes:
        image = isinstance(layer, layers.Conv2DTranspose)
        layer.build((None, 5, 5, 6) if image else (None, 5, 6))
        found = prunable.prunable_weights(layer, "weight")
        assert [tuple(weight.shape) for weight in found] == shapes
        assert [prunable.locate(layer, weight) for weight in found]


class Mixer(layers.Layer):
    """Keeps weights as attributes, in a list, and in a layer inside."""

    def build(self, input_shape):
        self.first = self.add_weight("first", (3, 8))
        self.others = [self.add_weight("other", (8, 8))]
        self.inner = layers.Dense(4)
        self.inner.build((None, 8))

    def get_prunable_weights(self):
        return [self.first, self.others[0], self.inner.kernel]


def test_weights_are_located_wherever_a_layer_keeps_them():
    mixer = Mixer()
    assert prunable.is_prunable(mixer)
    mixer.build((None, 3))
    first, other, kernel = prunable.prunable_weights(mixer)
    assert prunable.locate(mixer, first) == (mixer, "first")
    holder, index = prunable.locate(mixer, other)
    assert holder is mixer.others
    assert index == 0
    assert prunable.locate(mixer, kernel) == (mixer.inner, "kernel")


def test_a_weight_that_cannot_be_located_is_named():
    dense = layers.Dense(4, name="mine")
    dense.build((None, 3))
    stray = tf.Variable(tf.zeros((2, 2)), name="stray")
    with pytest.raises(
        ValueError, match=r"'mine' gives the weight 'stray:0'.*Store it"
    ):
        prunable.locate(dense, stray)
