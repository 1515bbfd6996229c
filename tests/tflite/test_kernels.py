import numpy as np
import pytest
import tf_keras
from ai_edge_litert import format_converter_wrapper_pybind11 as reference
from ai_edge_litert import schema_py_generated as schema
from graphs import small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.tflite import convert, flatbuffer, kernels, validation


def test_macs_are_those_of_the_network():
    model = randomize(small_network())
    found = kernels.read(validation.validated(convert.convert_to_tflite(model)))
    expected = [
        16 * 3 * 3 * 3 * 8,  # stem, 4x4 positions
        16 * 8 * 24,
        16 * 3 * 3 * 24,  # depthwise
        16 * 24 * 8,
        16 * 8 * 32,
        32 * 4,  # classifier
    ]
    assert [kernel.macs for kernel in found] == expected
    assert [kernel.operator for kernel in found][2] == "DEPTHWISE_CONV_2D"
    assert all(kernel.nonzero_macs == kernel.macs for kernel in found)


def test_zeros_do_not_count_as_macs(sparse_file):
    found = kernels.read(validation.validated(sparse_file.read_bytes()))
    for kernel in found:
        if kernel.n is not None:
            assert kernel.nonzero_macs == pytest.approx(0.5 * kernel.macs, rel=0.02)


def level(size=None, segments=None, indices=None):
    made = schema.DimensionMetadataT()
    made.format = schema.DimensionType.DENSE
    if size is not None:
        made.denseSize = size
        return made
    made.format = schema.DimensionType.SPARSE_CSR
    made.arraySegments, made.arrayIndices = schema.Int32VectorT(), schema.Int32VectorT()
    made.arraySegments.values = np.array(segments, np.int32)
    made.arrayIndices.values = np.array(indices, np.int32)
    return made


@pytest.mark.parametrize(
    ("order", "block_map", "block_size"),
    [
        ([0, 1, 2, 3], [], []),
        ([0, 3, 1, 2], [], []),
        ([0, 3, 1, 2, 4], [0], [4]),
        ([0, 1, 2, 3, 4, 5], [0, 3], [2, 3]),
    ],
)
def test_decode_equals_the_runtimes_own_converter(order, block_map, block_size):
    """Any layout of the format is read, here with all levels of it dense or sparse."""
    rng = np.random.default_rng(0)
    dense = rng.normal(size=(8, 3, 3, 6)).astype(np.float32)
    dense *= rng.random((8, 3, 3, 6)) < 0.4
    kinds = [reference.TfLiteDimensionType.TF_LITE_DIM_DENSE] * len(order)
    kinds[3] = reference.TfLiteDimensionType.TF_LITE_DIM_SPARSE_CSR
    theirs = reference.FormatConverterFp32(
        list(dense.shape), order, kinds, block_size, block_map
    )
    theirs.DenseToSparse(dense.ravel())
    tensor = schema.TensorT()
    tensor.shape = np.array(dense.shape)
    tensor.sparsity = schema.SparsityParametersT()
    tensor.sparsity.traversalOrder, tensor.sparsity.blockMap = order, block_map
    metadata = theirs.GetDimMetadata()
    tensor.sparsity.dimMetadata = [
        level(segments=metadata[2 * i], indices=metadata[2 * i + 1])
        if i == order.index(3)
        else level(size=metadata[2 * i][0])
        for i in range(len(order))
    ]
    values = np.array(theirs.GetData(), np.float32)
    np.testing.assert_array_equal(kernels.decode(tensor, values), dense)
    sizes = np.ones(4, int)
    sizes[block_map] = block_size
    np.testing.assert_array_equal(kernels.block_shape(tensor), sizes)


def test_a_kernel_computed_at_run_time_is_passed_over(sparse_file):
    model = flatbuffer.read_file(sparse_file)
    before = len(kernels.read(model))
    tensor = next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)
    tensor.buffer = 0
    assert len(kernels.read(model)) == before - 1


def test_kernels_in_three_dimensions_have_their_axes_in_order():
    forward = tf_keras.layers.Conv3D(2, 3, name="forward")
    back = tf_keras.layers.Conv3DTranspose(5, 3, name="back")
    image = tf_keras.Input((6, 6, 6, 4))
    model = tf_keras.Model(image, back(forward(image)))
    found = kernels.read(validation.validated(convert.convert_to_tflite(model)))
    first, second = (kernel.kernel for kernel in found)
    np.testing.assert_array_equal(first, forward.kernel.numpy())
    expected = back.kernel.numpy().swapaxes(-1, -2)
    np.testing.assert_array_equal(second, expected)


def test_a_transposed_convolution_counts_its_inputs():
    layer = tf_keras.layers.Conv2DTranspose(8, 3, 2)
    model = tf_keras.Sequential([tf_keras.Input((5, 5, 4)), layer])
    (found,) = kernels.read(validation.validated(convert.convert_to_tflite(model)))
    assert found.macs == 25 * 9 * 4 * 8
    expected = layer.kernel.numpy().swapaxes(-1, -2)
    np.testing.assert_array_equal(found.kernel, expected)


def test_a_shared_kernel_is_stored_once_and_counts_at_each_use():
    layer = tf_keras.layers.Conv2D(4, 1)
    image = tf_keras.Input((8, 8, 4))
    x = tf_keras.layers.MaxPooling2D()(layer(image))
    model = tf_keras.Model(image, layer(x))
    (found,) = kernels.read(validation.validated(convert.convert_to_tflite(model)))
    assert found.macs == (64 + 16) * 16
    assert found.stored_bytes == 4 * 16
    assert len(found.places) == 2
