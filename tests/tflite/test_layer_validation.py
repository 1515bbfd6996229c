import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from tf_keras import layers

from tfmot_onexn.tflite import convert, flatbuffer, interpreter, validation


@pytest.fixture
def model(sparse_file):
    return flatbuffer.read_file(sparse_file)


def tensor(model, index):
    return model.subgraphs[0].tensors[index]


def layer(model, name):
    code = getattr(schema.BuiltinOperator, name)
    operators = model.subgraphs[0].operators
    return next(o for o in operators if flatbuffer.operator_of(model, o) == code)


def set_option(operator, option, value):
    def damage(model):
        setattr(layer(model, operator).builtinOptions, option, value)

    return damage


def set_shape(operator, place, slot, shape):
    def damage(model):
        index = getattr(layer(model, operator), place)[slot]
        tensor(model, index).shape = np.array(shape, np.int32)
        tensor(model, index).shapeSignature = np.array([-1, *shape[1:]], np.int32)

    return damage


def flatten_kernel(model):
    kernel = tensor(model, layer(model, "DEPTHWISE_CONV_2D").inputs[1])
    kernel.shape = np.array([np.prod(kernel.shape)], np.int32)


def swap_window(model):
    kernel = tensor(model, layer(model, "DEPTHWISE_CONV_2D").inputs[1])
    kernel.shape = np.array([72, 3, 3, 1], np.int32)


def shorten_bias(model):
    bias = tensor(model, layer(model, "CONV_2D").inputs[2])
    model.buffers[bias.buffer].data = model.buffers[bias.buffer].data[:-4]
    bias.shape = bias.shape - 1


def drop_options(model):
    operator = layer(model, "CONV_2D")
    operator.builtinOptionsType, operator.builtinOptions = 0, None


CONV = "CONV_2D that makes tensor '.*' "
DEPTHWISE = "DEPTHWISE_CONV_2D that makes tensor '.*' "
CONNECTED = "FULLY_CONNECTED that makes tensor '.*' "


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_option("CONV_2D", "strideH", 0), CONV + r"has the strides \(0, 2\) and"),
        (set_option("CONV_2D", "strideW", 2**17), CONV + r"has the strides \(2, 13"),
        (
            set_option("DEPTHWISE_CONV_2D", "dilationHFactor", -1),
            DEPTHWISE + r"has the strides \(1, 1\) and the dilations \(-1, 1\)",
        ),
        (set_option("CONV_2D", "padding", 2), CONV + "has the padding 2"),
        (
            set_option("CONV_2D", "strideH", 1),
            CONV + r"makes .* 4, 4, 24\], expected .*",
        ),
        (
            set_option("DEPTHWISE_CONV_2D", "depthMultiplier", 2),
            DEPTHWISE + r"reads 72 channels with a kernel of shape \[1, 3, 3, 72\]",
        ),
        (
            set_shape("CONV_2D", "inputs", 0, [1, 8, 8, 5]),
            CONV + r"reads 5 channels with a kernel of shape \[24, 3, 3, 3\]",
        ),
        (
            set_shape("CONV_2D", "inputs", 0, [1, 8, 8, 0]),
            CONV + "reads 0 channels with a kernel of shape",
        ),
        (
            set_shape("CONV_2D", "inputs", 0, [1, 8, 24]),
            CONV + r"reads the shape \[1, 8, 24\] and makes the shape \[1, 4, 4, 24\]",
        ),
        (
            set_shape("CONV_2D", "outputs", 0, [1, 5, 4, 24]),
            CONV + r"makes the shape \[1, 5, 4, 24\], expected \[1, 4, 4, 24\]",
        ),
        (
            set_shape("FULLY_CONNECTED", "outputs", 0, [1, 5]),
            CONNECTED + r"has a kernel of shape \[4, 96\] and makes the shape \[1, 5\]",
        ),
        (
            set_shape("FULLY_CONNECTED", "outputs", 0, [2, 4]),
            CONNECTED + r"reads the shape \[1, 96\] .* \[4, 96\] and makes .*\[2, 4\]",
        ),
        (flatten_kernel, DEPTHWISE + r"has a kernel of shape \[648\]"),
        (swap_window, DEPTHWISE + r"reads 72 channels with .* \[72, 3, 3, 1\]"),
        (shorten_bias, CONV + r"has 24 channels, a bias of \[23\]"),
        (drop_options, CONV + "lacks its options"),
    ],
)
def test_each_fault_is_named_before_a_runtime_sees_the_file(
    model, tmp_path, damage, message
):
    damage(model)
    path = tmp_path / "bad.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(ValueError, match=rf"bad.tflite is damaged: .*{message}.*again"):
        interpreter.load_interpreter(path)


@pytest.mark.parametrize(
    "made",
    [
        layers.Conv2D(6, (3, 2), strides=2),
        layers.Conv2D(6, (3, 2), strides=(2, 3), padding="same"),
        layers.Conv2D(6, 3, dilation_rate=2),
        layers.Conv2D(6, 3, dilation_rate=(1, 2), padding="same"),
        layers.Conv2D(6, 1, use_bias=False),
        layers.Conv2D(6, 3, groups=2),
        layers.DepthwiseConv2D(3, depth_multiplier=2, strides=2),
        layers.DepthwiseConv2D(3, use_bias=False, padding="same"),
        layers.DepthwiseConv2D(2, dilation_rate=2),
        layers.SeparableConv2D(5, 3),
        layers.Dense(5),
        layers.Dense(5, use_bias=False),
    ],
    ids=lambda made: made.name,
)
@pytest.mark.parametrize("size", [(9, 8, 4), (None, None, 4)])
def test_whatever_the_converter_writes_passes(made, size):
    model = tf_keras.Sequential([layers.Input(size), made])
    validation.validated(convert.convert_to_tflite(model))


def test_one_axis_passes():
    model = tf_keras.Sequential([layers.Input((9, 4)), layers.Conv1D(5, 3)])
    validation.validated(convert.convert_to_tflite(model))


@pytest.mark.parametrize("rows", [1, 3])
def test_flattened_and_batched_rows_pass(rows):
    image = layers.Input((4, 3, 2), rows)
    x = layers.Dense(7)(layers.Flatten()(image))
    model = tf_keras.Model(image, [x, layers.Dense(5)(layers.Reshape((6, 4))(image))])
    validation.validated(convert.convert_to_tflite(model))


def test_a_network_with_open_sizes_passes():
    image = layers.Input((None, None, 3))
    x = layers.Conv2D(8, 3, 2)(image)
    x = layers.DepthwiseConv2D(5)(x)
    x = layers.Dense(3)(layers.GlobalMaxPooling2D()(x))
    content = convert.convert_to_tflite(tf_keras.Model(image, x))
    validation.validated(content)
    loaded = tf.lite.Interpreter(model_content=content)
    loaded.resize_tensor_input(0, (1, 30, 40, 3))
    loaded.allocate_tensors()
    loaded.invoke()
