import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from graphs import relative_error
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmot_onexn.sparsity import bsr, masks
from tfmot_onexn.tflite import flatbuffer, kernels, sparse_encoding, validation


def one_layer(kernel, seed=0):
    """A file with one convolution or fully connected layer of a given kernel."""
    if kernel.ndim == 4:
        shape = (6, 6, kernel.shape[2])
        layer = tf_keras.layers.Conv2D(kernel.shape[3], kernel.shape[:2])
    else:
        shape, layer = (kernel.shape[0],), tf_keras.layers.Dense(kernel.shape[1])
    model = tf_keras.Sequential([layer])
    model.build((None, *shape))
    bias = np.random.default_rng(seed).normal(size=kernel.shape[-1])
    layer.set_weights([kernel, bias])
    return tf.lite.TFLiteConverter.from_keras_model(model).convert(), (1, *shape)


def run(content, images):
    loaded = Interpreter(model_content=content)
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], images)
    loaded.invoke()
    return loaded.get_tensor(loaded.get_output_details()[0]["index"])


def sparse_kernel(shape, n, sparsity, seed):
    kernel = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return kernel * masks.block_mask(kernel, n, sparsity)


@settings(max_examples=12)
@given(
    st.sampled_from([(1, 1), (3, 3), (1, 3), ()]),
    st.sampled_from([24, 40, 300]),
    st.sampled_from([8, 24, 40]),
    st.sampled_from([1, 2, 4, 8]),
    st.floats(0.5, 0.95),
    st.integers(0, 99),
)
def test_an_encoded_layer_computes_and_reads_back_the_same(
    window, inputs, outputs, n, sparsity, seed
):
    kernel = sparse_kernel((*window, inputs, outputs), n, sparsity, seed)
    content, shape = one_layer(kernel)
    encoded = sparse_encoding.encode(content)
    images = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    assert relative_error(run(encoded, images), run(content, images)) <= 1e-6
    (stored,) = kernels.read(validation.validated(encoded))
    np.testing.assert_array_equal(stored.kernel, kernel)
    if len(encoded) < len(content):
        assert stored.n == bsr.block_size(kernel)
        assert stored.stored_bytes == bsr.encoded_bytes(kernel, stored.n)


def sparse_tensors(content):
    model = flatbuffer.read(content)
    return model, [t for t in model.subgraphs[0].tensors if t.sparsity is not None]


def test_a_pointwise_kernel_is_stored_as_the_bsr_arrays():
    kernel = sparse_kernel((1, 1, 300, 32), 8, 0.5, 0)
    model, (tensor,) = sparse_tensors(sparse_encoding.encode(one_layer(kernel)[0]))
    expected = bsr.encode(kernel, 8)
    values = flatbuffer.constant(model, tensor)
    np.testing.assert_array_equal(values.reshape(-1, 8), expected.data)
    levels = tensor.sparsity.dimMetadata
    np.testing.assert_array_equal(levels[1].arraySegments.values, expected.indptr)
    np.testing.assert_array_equal(levels[1].arrayIndices.values, expected.indices)
    assert list(tensor.sparsity.traversalOrder) == [0, 3, 1, 2, 4]
    assert list(tensor.sparsity.blockMap) == [0]
    assert [level.denseSize for level in levels] == [4, 0, 1, 1, 8]
    # 300 input channels need two bytes, the 600 blocks as well
    assert isinstance(levels[1].arrayIndices, schema.Uint16VectorT)
    assert isinstance(levels[1].arraySegments, schema.Uint16VectorT)


@pytest.mark.parametrize(
    ("inputs", "kind"), [(40, schema.Uint8VectorT), (300, schema.Uint16VectorT)]
)
def test_indices_are_as_narrow_as_they_can_be(inputs, kind):
    kernel = sparse_kernel((inputs, 64), 4, 0.9, 0)
    _, (tensor,) = sparse_tensors(sparse_encoding.encode(one_layer(kernel)[0]))
    assert isinstance(tensor.sparsity.dimMetadata[1].arrayIndices, kind)
    assert list(tensor.sparsity.traversalOrder) == [0, 1, 2]


def test_a_dense_kernel_stays_as_it_is(rng):
    content, _ = one_layer(rng.normal(size=(1, 1, 64, 64)).astype(np.float32))
    assert sparse_encoding.encode(content) == content


def test_encoding_twice_changes_nothing():
    once = sparse_encoding.encode(one_layer(sparse_kernel((64, 64), 4, 0.7, 0))[0])
    assert sparse_encoding.encode(once) == once


def test_densify_stands_right_before_its_reader(sparse_file):
    model = flatbuffer.read_file(sparse_file)
    operators = model.subgraphs[0].operators
    codes = [flatbuffer.operator_of(model, operator) for operator in operators]
    densify = schema.BuiltinOperator.DENSIFY
    assert codes.count(densify) == 5
    for index, code in enumerate(codes):
        if code == densify:
            assert operators[index].outputs[0] in operators[index + 1].inputs


def test_a_kernel_that_two_layers_share_is_restored_once():
    shared = tf_keras.layers.Conv2D(64, 1, use_bias=False)
    image = tf_keras.Input((6, 6, 64))
    model = tf_keras.Model(image, shared(tf_keras.layers.ReLU()(shared(image))))
    shared.set_weights([sparse_kernel((1, 1, 64, 64), 4, 0.7, 0)])
    content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    encoded = sparse_encoding.encode(content)
    unpacked, sparse = sparse_tensors(encoded)
    assert len(sparse) == 1
    names = [
        flatbuffer.operator_of(unpacked, operator)
        for operator in unpacked.subgraphs[0].operators
    ]
    assert names.count(schema.BuiltinOperator.DENSIFY) == 1
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 64)).astype(np.float32)
    np.testing.assert_allclose(run(encoded, x), run(content, x), rtol=1e-5)
