import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from tf_keras import layers

from tfmot_onexn.tflite import channels_first, convert, flatbuffer
from tfmot_onexn.tflite.channels_first import Op, Role


def read(*chain, shape=(8, 8, 4)):
    """Returns the nodes of a model by the names of their operators."""
    return nodes_of(flatbuffer.read(converted(*chain, shape=shape)))


def converted(*chain, shape=(8, 8, 4)):
    x = image = layers.Input(shape)
    for layer in chain:
        x = layer(x)
    return convert.convert_to_tflite(tf_keras.Model(image, x))


def nodes_of(model):
    graph = model.subgraphs[0]
    return {
        flatbuffer.operator_name(
            flatbuffer.operator_of(model, graph.operators[node.index])
        ): node
        for node in channels_first.Reader(model, graph).nodes()
    }


PAD = layers.ZeroPadding2D


@pytest.mark.parametrize(
    ("chain", "shape", "operator", "role"),
    [
        ([layers.Conv2D(5, 1)], (8, 8, 4), "CONV_2D", Role.STAYS),
        ([layers.Conv2D(5, 1, padding="same")], (8, 8, 4), "CONV_2D", Role.STAYS),
        ([layers.Conv2D(5, 1, 2)], (8, 8, 4), "CONV_2D", Role.NONE),
        ([layers.Conv2D(4, 1, groups=2)], (8, 8, 4), "CONV_2D", Role.NONE),
        ([layers.Conv2D(5, 3, padding="same")], (8, 8, 4), "CONV_2D", Role.NONE),
        ([PAD(1), layers.Conv2D(5, 3, 2)], (8, 8, 3), "CONV_2D", Role.ENTERS),
        ([PAD(1), layers.Conv2D(5, 3, 2)], (8, 8, 4), "CONV_2D", Role.NONE),
        ([PAD(1), layers.Conv2D(5, 3, 1)], (8, 8, 3), "CONV_2D", Role.NONE),
        (
            [PAD(((0, 1), (0, 1))), layers.Conv2D(5, 3, 2)],
            *((9, 9, 3), "CONV_2D", Role.NONE),
        ),
        (
            [layers.Conv2D(5, 3, 2, padding="same")],
            *((8, 8, 3), "CONV_2D", Role.NONE),
        ),
        (
            [layers.DepthwiseConv2D(3, padding="same")],
            *((8, 8, 4), "DEPTHWISE_CONV_2D", Role.STAYS),
        ),
        (
            [layers.DepthwiseConv2D(5, padding="same")],
            *((8, 8, 4), "DEPTHWISE_CONV_2D", Role.STAYS),
        ),
        ([layers.DepthwiseConv2D(3)], (8, 8, 4), "DEPTHWISE_CONV_2D", Role.NONE),
        (
            [PAD(1), layers.DepthwiseConv2D(3, 2)],
            *((8, 8, 4), "DEPTHWISE_CONV_2D", Role.STAYS),
        ),
        (
            [layers.DepthwiseConv2D(3, 2, padding="same")],
            *((8, 8, 4), "DEPTHWISE_CONV_2D", Role.NONE),
        ),
        (
            [layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)],
            *((8, 8, 4), "DEPTHWISE_CONV_2D", Role.NONE),
        ),
        (
            [layers.GlobalAveragePooling2D()],
            *((8, 8, 4), "MEAN", Role.STAYS | Role.LEAVES),
        ),
        ([layers.MaxPooling2D()], (8, 8, 4), "MAX_POOL_2D", Role.NONE),
        ([layers.Activation("sigmoid")], (8, 8, 4), "LOGISTIC", Role.STAYS),
        ([layers.Activation("sigmoid")], (4,), "LOGISTIC", Role.NONE),
        ([layers.Dense(3)], (4,), "FULLY_CONNECTED", Role.NONE),
        (
            [layers.EinsumDense("abcd,de->abce", (8, 8, 3))],
            *((8, 8, 4), "FULLY_CONNECTED", Role.STAYS),
        ),
        (
            [layers.UpSampling2D(interpolation="bilinear")],
            *((8, 8, 4), "RESIZE_BILINEAR", Role.STAYS),
        ),
        (
            [layers.UpSampling2D(interpolation="bilinear")],
            *((1, 8, 4), "RESIZE_BILINEAR", Role.NONE),
        ),
        ([layers.Lambda(lambda x: x * x)], (8, 8, 4), "MUL", Role.STAYS),
        ([layers.Lambda(lambda x: x + np.arange(4.0))], (8, 8, 4), "ADD", Role.NONE),
        (
            [layers.Lambda(lambda x: x + np.ones((1, 8, 8, 4), np.float32))],
            *((8, 8, 4), "ADD", Role.NONE),
        ),
    ],
)
def test_the_role_is_xnnpacks(chain, shape, operator, role):
    copies = [type(layer).from_config(layer.get_config()) for layer in chain]
    assert read(*copies, shape=shape)[operator].role == role


def test_a_padding_becomes_part_of_its_convolution():
    found = read(PAD(1), layers.Conv2D(5, 3, 2), shape=(8, 8, 3))
    assert list(found) == ["CONV_2D"]
    (image,) = found["CONV_2D"].inputs
    assert image == 0


def test_a_padding_of_a_1x1_convolution_or_of_two_readers_stays():
    assert list(read(PAD(1), layers.Conv2D(5, 1))) == ["PAD", "CONV_2D"]
    image = layers.Input((8, 8, 3))
    padded = PAD(1)(image)
    both = [layers.Conv2D(5, 3, 2)(padded), layers.MaxPooling2D()(padded)]
    model = flatbuffer.read(convert.convert_to_tflite(tf_keras.Model(image, both)))
    assert "PAD" in nodes_of(model)


@pytest.mark.parametrize("float16", [False, True])
def test_kernels_are_constant_however_they_are_stored(pruned_model, float16):
    content = convert.convert_to_tflite(pruned_model, float16=float16)
    found = nodes_of(flatbuffer.read(content))
    assert not {"DENSIFY", "DEQUANTIZE"} & set(found)
    assert all(len(node.inputs) <= 2 for node in found.values())
    assert found["CONV_2D"].pointwise is not None


def test_integers_have_no_role():
    model = flatbuffer.read(converted(layers.Conv2D(5, 1)))
    for tensor in model.subgraphs[0].tensors:
        tensor.type = schema.TensorType.INT8
    assert nodes_of(model)["CONV_2D"].role == Role.NONE


def test_only_what_xnnpack_takes_is_delegated():
    assert read(layers.Conv2D(5, 1))["CONV_2D"].delegated
    assert not read(layers.Lambda(tf.cumsum))["CUMSUM"].delegated


def test_a_file_without_options_has_no_roles():
    """Options may be missing, or those of another operator, in a damaged file."""
    content = converted(PAD(1), layers.Conv2D(5, 3, 2), shape=(8, 8, 3))
    model = flatbuffer.read(content)
    for options in (None, schema.AddOptionsT()):
        for operator in model.subgraphs[0].operators:
            operator.builtinOptions = options
        assert nodes_of(model)["CONV_2D"].role == Role.NONE


def test_a_padding_that_is_computed_or_damaged_is_not_joined():
    content = converted(PAD(1), layers.Conv2D(5, 3, 2), shape=(8, 8, 3))
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    pad = next(o for o in graph.operators if flatbuffer.operator_of(model, o) == Op.PAD)
    around = graph.tensors[int(pad.inputs[1])]
    data = model.buffers[around.buffer].data
    for damaged in (None, data[:8]):
        model.buffers[around.buffer].data = damaged
        assert nodes_of(model)["CONV_2D"].role == Role.NONE
    channels = np.array([0, 0, 1, 1, 1, 1, 0, 2], np.int32).view(np.uint8)
    model.buffers[around.buffer].data = channels
    assert "PAD" in nodes_of(model)
