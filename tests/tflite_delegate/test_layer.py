import numpy as np
import pytest
from small_files import (
    NONE,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    TANH,
    VALID,
    SmallFile,
    block_kernel,
    difference,
    invoke,
)

from tfmot_onexn.tflite import flatbuffer

SHAPE = [1, 9, 11, 40]


def convolution(rng, window=(1, 1), n=8, shape=SHAPE, half=False, **options):
    file = SmallFile(half)
    kernel = block_kernel(rng, (48, *window, shape[3]), n)
    file.output(file.conv(file.input(shape), kernel, **options))
    return file.content()


@pytest.mark.parametrize("act", [NONE, RELU, RELU6, RELU_N1_TO_1])
def test_activations(act, rng, same):
    (verdict,) = same(convolution(rng, act=act))
    assert verdict["claimed"]


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [(1, 1), (3, 3), (5, 5), (2, 4), (7, 1)])
def test_windows_strides_and_paddings(window, stride, padding, rng, same):
    (verdict,) = same(convolution(rng, window, stride=stride, padding=padding))
    assert verdict["claimed"]


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("dilation", [2, 3])
def test_dilations(dilation, padding, rng, same):
    shape = [1, 15, 13, 24]
    content = convolution(rng, (3, 3), shape=shape, dilation=dilation, padding=padding)
    (verdict,) = same(content)
    assert verdict["claimed"]


@pytest.mark.parametrize("size", [(1, 1), (1, 17), (30, 2)])
def test_any_number_of_pixels(size, rng, same):
    same(convolution(rng, shape=[1, *size, 40]))


def test_more_than_one_image(rng, same):
    same(convolution(rng, (3, 3), shape=[3, 5, 4, 24], stride=2))


def test_float16(rng, same):
    (verdict,) = same(convolution(rng, (3, 3), half=True))
    assert verdict["claimed"]


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    "shape", [[1, 64], [5, 64], [1, 3, 64], [2, 2, 3, 64]], ids=str
)
@pytest.mark.parametrize("half", [False, True])
def test_fully_connected(shape, keep, half, rng, same):
    file = SmallFile(half)
    kernel = block_kernel(rng, (40, 64), 8)
    file.output(file.dense(file.input(shape), kernel, keep=keep, act=RELU))
    (verdict,) = same(file.content())
    assert verdict["operator"] == "FULLY_CONNECTED"
    assert verdict["claimed"]
    assert verdict["n"] == 8


@pytest.mark.parametrize("inputs", [2, 3])
def test_fully_connected_without_a_bias(inputs, rng, same):
    file = SmallFile()
    file.output(file.dense(file.input([2, 64]), block_kernel(rng, (40, 64), 8)))
    model = flatbuffer.read(file.content())
    layer = model.subgraphs[0].operators[-1]
    layer.inputs = np.array([*layer.inputs[:2], -1][:inputs], np.int32)
    (verdict,) = same(flatbuffer.write(model))
    assert verdict["claimed"]


def test_fully_connected_flattens(rng, same):
    """The last dimension is not the number of inputs."""
    file = SmallFile()
    kernel = block_kernel(rng, (32, 3 * 4 * 8), 4)
    file.output(file.dense(file.input([2, 3, 4, 8]), kernel))
    (verdict,) = same(file.content())
    assert verdict["claimed"]


def test_no_number_stays_no_number(rng, claim):
    content = convolution(rng, act=RELU6)
    images = np.ones(SHAPE, np.float32)
    images[0, 4, 5, 0] = np.nan
    loaded, _ = claim(content)
    given = loaded.get_input_details()[0]["index"]
    loaded.set_tensor(given, images)
    loaded.invoke()
    found = loaded.get_tensor(loaded.get_output_details()[0]["index"])
    assert np.isnan(found[0, 4, 5]).all(), "each block row has input channel 0"
    found[0, 4, 5] = 0
    assert np.isfinite(found).all()


def refused(content, same):
    (verdict,) = same(content)
    assert not verdict["claimed"]
    assert verdict["kernel"] == ""
    return verdict["reason"]


def test_dense_kernels_stay(rng, same):
    file = SmallFile()
    file.output(file.conv(file.input(SHAPE), rng.normal(size=(8, 1, 1, 40))))
    assert refused(file.content(), same) == "Its kernel is stored dense."


def test_computed_kernels_stay(rng, same):
    file = SmallFile()
    x, kernel = file.input([1, 4, 4, 8]), file.input([8, 1, 1, 8])
    file.output(file.conv_of(x, kernel, file.constant(np.zeros(8)), 8))
    assert "not a constant" in refused(file.content(), same)


def test_unknown_activations_stay(rng, claim):
    _, (verdict,) = claim(convolution(rng, act=TANH))
    assert not verdict["claimed"]
    assert "none of ReLU" in verdict["reason"]


def test_grouped_convolutions_stay(rng, same):
    file = SmallFile()
    kernel = block_kernel(rng, (48, 1, 1, 20), 8)
    file.output(file.conv(file.input(SHAPE), kernel))
    assert refused(file.content(), same) == "It is a grouped convolution."


def test_computed_biases_stay(rng, same):
    file = SmallFile()
    x, bias = file.input([1, 4, 4, 40]), file.input([48])
    kernel = file.constant(block_kernel(rng, (48, 1, 1, 40), 8))
    file.output(file.conv_of(x, kernel, bias, 48))
    assert "Its bias is not a constant" in refused(file.content(), same)


def test_the_comparison_sees_a_wrong_file(rng, interpreter):
    """One weight of a kernel differs."""
    content = convolution(rng)
    model = flatbuffer.read(content)
    sparse = next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)
    values = np.array(model.buffers[sparse.buffer].data).view(np.float32)
    values[0] += 0.01
    model.buffers[sparse.buffer].data = values.view(np.uint8)
    wrong = interpreter(flatbuffer.write(model), {"cost_gate": "off"})
    right = interpreter(content)
    assert difference(invoke(wrong), invoke(right)) > 1e-5
