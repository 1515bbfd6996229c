import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from tfmot_onexn.tflite import convert, flatbuffer, kernels
from tfmot_onexn.tflite.sizes import Sizes


def model_of(*chain, shape, batch=None):
    x = image = layers.Input(shape, batch_size=batch)
    for layer in chain:
        x = layer(x)
    return tf_keras.Model(image, x)


def positions_in(content):
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    found = Sizes(model, graph)
    return [
        found.positions(graph.operators[place.operator])
        for kernel in kernels.read(model)
        for place in kernel.places
    ]


def positions(model):
    return positions_in(convert.convert_to_tflite(model, sparse=False))


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Conv2D(5, 3), (8, 9, 4), [6 * 7]),
        (layers.Conv2D(5, 3, 2), (8, 9, 4), [3 * 4]),
        (layers.Conv2DTranspose(5, 3, 2), (8, 9, 4), [8 * 9]),
        (layers.Conv3D(5, 3), (5, 6, 7, 4), [3 * 4 * 5]),
        (layers.Dense(5), (4,), [1]),
        (layers.Dense(5), (6, 7, 4), [6 * 7]),
        (layers.Dense(5), (6, None, 4), [None]),
        (layers.Conv2D(5, 3), (8, None, 4), [None]),
    ],
)
@pytest.mark.parametrize("batch", [None, 3])
def test_positions_are_those_of_one_image(layer, shape, expected, batch):
    copy = type(layer).from_config(layer.get_config())
    assert positions(model_of(copy, shape=shape, batch=batch)) == expected


def test_a_dilated_convolution_counts_in_all_pieces_of_an_image():
    """Each of 4 pieces has 3x3 outputs, the edge that is cut off later included."""
    layer = layers.DepthwiseConv2D(3, dilation_rate=2)
    assert positions(model_of(layer, shape=(9, 9, 4))) == [4 * 9]


def test_rows_are_counted_through_layers_between():
    chain = [layers.Dense(8), layers.Activation("relu"), layers.Dense(3)]
    chain += [layers.Activation("gelu"), layers.Lambda(lambda x: 2.0 - x)]
    assert positions(model_of(*chain, layers.Dense(7), shape=(5, 6, 4))) == [30] * 3


def test_flattened_images_are_one_row():
    model = model_of(
        layers.Flatten(), layers.Dense(3), layers.Dense(2), shape=(5, 5, 4)
    )
    assert positions(model) == [1, 1]


def test_a_size_that_the_file_leaves_open_stays_open():
    content = convert.convert_to_tflite(model_of(layers.Conv2D(5, 3), shape=(8, 8, 4)))
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    (kernel,) = kernels.read(model)
    operator = graph.operators[kernel.places[0].operator]
    output = graph.tensors[int(operator.outputs[0])]
    output.shapeSignature = np.array([-1, -1, 6, 5], np.int32)
    assert Sizes(model, graph).positions(operator) is None
    output.shapeSignature = None
    assert Sizes(model, graph).positions(operator) == 36
    output.shape = np.array([1, 0, 6, 5], np.int32)
    assert Sizes(model, graph).positions(operator) is None


def test_a_dilated_convolution_whose_pieces_are_computed_is_open():
    content = convert.convert_to_tflite(
        model_of(layers.DepthwiseConv2D(3, dilation_rate=2), shape=(9, 9, 4))
    )
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    (kernel,) = kernels.read(model)
    cut = next(o for o in graph.operators if len(o.inputs) == 3)
    graph.tensors[int(cut.inputs[1])].buffer = 0
    operator = graph.operators[kernel.places[0].operator]
    assert Sizes(model, graph).positions(operator) is None


def test_an_input_that_is_left_out_tells_nothing():
    content = convert.convert_to_tflite(model_of(layers.Dense(5), shape=(4,)))
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    (operator,) = graph.operators
    operator.inputs = np.array([-1, *operator.inputs[1:]])
    assert Sizes(model, graph).positions(operator) is None


def test_a_layer_called_on_two_images_counts_both():
    image = layers.Input((4, 4, 3))
    other = layers.Input((4, 4, 3))
    layer = layers.Conv2D(5, 1)
    model = tf_keras.Model([image, other], layers.Add()([layer(image), layer(other)]))
    assert positions(model) == [16, 16]


def test_fewer_elements_than_a_kernel_is_wide_tell_nothing():
    chain = [layers.Dense(5), layers.Activation("tanh"), layers.Dense(3)]
    model = flatbuffer.read(convert.convert_to_tflite(model_of(*chain, shape=(4,))))
    graph = model.subgraphs[0]
    image = graph.tensors[graph.inputs[0]]
    image.shape = image.shapeSignature = np.array([1, 2], np.int32)
    assert Sizes(model, graph).positions(graph.operators[-1]) is None


def test_rows_that_do_not_fill_a_kernel_tell_nothing():
    """In a damaged file, whose sizes do not fit each other."""
    chain = [layers.Dense(4), layers.Activation("gelu"), layers.Dense(5)]
    content = convert.convert_to_tflite(model_of(*chain, shape=(8,)))
    model = flatbuffer.read(content)
    graph = model.subgraphs[0]
    graph.tensors[int(graph.inputs[0])].shape = np.array([1, 2], np.int32)
    graph.tensors[int(graph.inputs[0])].shapeSignature = None
    last = graph.operators[-1]
    assert Sizes(model, graph).positions(last) is None
