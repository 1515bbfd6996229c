import numpy as np
import pytest
import tf_keras
from graphs import small_network
from tf_keras import layers as keras_layers

from tfmot_onexn.pruning.kernels import ModelKernels
from tfmot_onexn.tflite import convert, flatbuffer, layers


def model_of(*chain, shape, name=None):
    x = image = keras_layers.Input(shape)
    for layer in chain:
        x = layer(x)
    return tf_keras.Model(image, x, name=name)


def found_in(model, **kwargs):
    return layers.find(flatbuffer.read(convert.convert_to_tflite(model, **kwargs)))


def nested():
    inner = model_of(keras_layers.Conv2D(4, 1, name="conv"), shape=(8, 8, 4), name="in")
    return model_of(inner, keras_layers.Conv2D(3, 1), shape=(8, 8, 4))


def shared():
    layer = keras_layers.Conv2D(4, 1, name="shared")
    return model_of(layer, keras_layers.MaxPooling2D(), layer, shape=(8, 8, 4))


def positionwise():
    chain = [keras_layers.Dense(8, activation="relu"), keras_layers.Dense(3)]
    return model_of(*chain, keras_layers.Dense(7), shape=(5, 6, 4))


def dilated():
    layer = keras_layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2)
    return model_of(layer, shape=(9, 9, 4))


@pytest.mark.parametrize(
    "build",
    [
        small_network,
        nested,
        shared,
        positionwise,
        dilated,
        lambda: model_of(
            keras_layers.Conv1D(8, 3), keras_layers.Conv1D(8, 1), shape=(9, 4)
        ),
        lambda: model_of(keras_layers.Conv3D(8, 3, strides=2), shape=(9, 9, 9, 4)),
        lambda: model_of(keras_layers.SeparableConv2D(8, 3), shape=(9, 9, 4)),
        lambda: model_of(keras_layers.SeparableConv1D(8, 3), shape=(9, 4)),
        lambda: model_of(keras_layers.DepthwiseConv1D(3), shape=(9, 4)),
        lambda: model_of(keras_layers.Conv2DTranspose(8, 3, 2), shape=(9, 9, 4)),
        lambda: model_of(keras_layers.Conv1DTranspose(8, 3, 2), shape=(9, 4)),
        lambda: model_of(keras_layers.Conv3DTranspose(8, 3, 2), shape=(5, 5, 5, 4)),
        lambda: model_of(
            keras_layers.Flatten(), keras_layers.Dense(3), shape=(9, 9, 4)
        ),
        lambda: model_of(keras_layers.EinsumDense("abc,cd->abd", (5, 8)), shape=(5, 4)),
        lambda: model_of(keras_layers.Conv2D(4, 3), shape=(None, None, 3)),
        lambda: tf_keras.applications.MobileNetV3Small(
            (64, 64, 3), classes=3, weights=None
        ),
    ],
)
def test_a_file_tells_of_its_layers_what_the_model_does(build):
    """Names, operators, strides and multiply-accumulates."""
    model = build()
    expected = {
        kernel.name: (kernel.operator, kernel.strided, kernel.macs)
        for kernel in ModelKernels(model).read()
    }
    found = {}
    for layer in found_in(model, sparse=False):
        size = int(np.prod(layer.stored.shape))
        macs = None if layer.positions is None else layer.positions * size
        found[layer.name] = (layer.operator, layer.strided, macs)
    assert found == expected


def test_a_kernel_of_several_operators_is_one_layer():
    (layer,) = found_in(shared())
    assert len(layer.places) == 2
    assert layer.places[0].operator < layer.places[1].operator


@pytest.mark.parametrize("float16", [False, True])
def test_layers_lead_to_what_is_stored(pruned_model, float16):
    content = convert.convert_to_tflite(pruned_model, float16=float16)
    model = flatbuffer.read(content)
    found = layers.find(model)
    assert [layer.operator for layer in found].count("CONV_2D") == 4
    sparse = sum(layer.stored.sparsity is not None for layer in found)
    assert sparse == (4 if float16 else 5)  # half of the bytes do not always pay
    for layer in found:
        assert flatbuffer.constant(model, layer.stored) is not None
        (place,) = layer.places
        graph = model.subgraphs[place.graph]
        assert place.tensor in graph.operators[place.operator].inputs
        behind = layer.stored is not graph.tensors[place.tensor]
        assert behind == (float16 or layer.stored.sparsity is not None)


@pytest.mark.parametrize(
    ("tensor_names", "name"),
    [
        (["net/block/conv/Conv2D"], "block/conv"),
        (["net/conv/Conv2D17"], "conv"),
        (["net/bn/FusedBatchNormV3;net/conv/depthwise"], "conv"),
        (["net/dense/Tensordot/MatMul1"], "dense"),
        (["net/mixed/einsum/Einsum"], "mixed"),
        (["net/depthwise/depthwise"], "depthwise"),
        (["net/MyConv2D/Conv2D"], "MyConv2D"),
        (["arith.constant", "net/relu/Relu;net/conv/Conv2D"], "conv"),
        (["Conv2D", "PartitionedCall:0"], "Conv2D"),
        (["", ""], ""),
    ],
)
def test_the_layers_name_is_found_in_the_tensors(tensor_names, name):
    assert layers.layer_name(tensor_names) == name


def test_layers_of_one_name_are_told_apart():
    class Twice(keras_layers.Layer):
        def build(self, shape):
            self.first = self.add_weight("first", (shape[-1], 5))
            self.second = self.add_weight("second", (5, 6))

        def call(self, inputs):
            return inputs @ self.first @ self.second

    found = found_in(model_of(Twice(name="twice"), shape=(4,)))
    names = [layer.name for layer in found]
    assert len(set(names)) == 2
    assert all("twice" in name for name in names)


def test_what_is_no_kernel_is_passed_over(sparse_file):
    model = flatbuffer.read_file(sparse_file)
    before = len(layers.find(model))
    graph = model.subgraphs[0]
    first = layers.find(model)[0]
    first.stored.shape = first.stored.shape[1:]
    assert len(layers.find(model)) == before - 1
    operator = graph.operators[layers.find(model)[0].places[0].operator]
    operator.inputs = operator.inputs[:1]
    assert len(layers.find(model)) == before - 2
