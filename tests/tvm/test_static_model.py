import numpy as np
import pytest
import tf_keras
import tvm_networks
from ai_edge_litert import schema_py_generated as schema
from tf_keras import layers

from tfmot_onexn.tflite import convert, flatbuffer, kernels
from tfmot_onexn.tvm import frontend, static_model
from tfmot_onexn.tvm.graph import results, shape_of

Op = schema.BuiltinOperator


def operators(model):
    [graph] = model.subgraphs
    return [flatbuffer.operator_of(model, each) for each in graph.operators]


@pytest.mark.parametrize("options", [{}, {"float16": True}])
def test_kernels_become_dense_constants(options, tmp_path):
    file = tvm_networks.file_of(tmp_path, "mobilenet_v2", 4, **options)
    model = flatbuffer.read_file(file)
    assert Op.DENSIFY in operators(model)
    assert (Op.DEQUANTIZE in operators(model)) is bool(options)
    stored = [each.kernel for each in kernels.read(model)]
    static_model.prepare(model)
    assert not {Op.DENSIFY, Op.DEQUANTIZE} & set(operators(model))
    for found, kernel in zip(kernels.read(model), stored, strict=True):
        assert found.n is None
        assert found.kernel.dtype == np.float32
        np.testing.assert_array_equal(found.kernel, kernel)


def test_shapes_that_are_computed_become_constants(tmp_path):
    file = tmp_path / "head.tflite"
    convert.convert_to_tflite(tvm_networks.network("mobilenet", top=True), file)
    model = flatbuffer.read_file(file)
    assert Op.SHAPE in operators(model)
    static_model.prepare(model)
    # what computed them is not needed any more
    assert not {Op.SHAPE, Op.STRIDED_SLICE, Op.PACK} & set(operators(model))
    [graph] = model.subgraphs
    [reshape] = [
        each
        for each in graph.operators
        if flatbuffer.operator_of(model, each) == Op.RESHAPE
    ]
    shape = flatbuffer.constant_bytes(model, graph.tensors[reshape.inputs[1]])
    np.testing.assert_array_equal(shape.view(np.int32), [1, 1000])


@pytest.mark.parametrize("keepdims", [True, False])
def test_what_a_fully_connected_layer_reads_becomes_a_matrix(keepdims, tmp_path):
    # of a single image, so that the converter drops what flattens
    image = layers.Input((4, 6, 8), batch_size=1)
    x = layers.GlobalAveragePooling2D(keepdims=keepdims)(image)
    network = tf_keras.Model(image, layers.Dense(5)(layers.Flatten()(x)))
    convert.convert_to_tflite(network, tmp_path / "flat.tflite")
    model = flatbuffer.read_file(tmp_path / "flat.tflite")
    static_model.prepare(model)
    [graph] = model.subgraphs
    [connected] = [
        each
        for each in graph.operators
        if flatbuffer.operator_of(model, each) == Op.FULLY_CONNECTED
    ]
    assert list(graph.tensors[connected.inputs[0]].shape) == [1, 8]
    # so the result has the shape that the file tells
    module = frontend.load(tmp_path / "flat.tflite")
    [result] = results(module["main"])
    assert shape_of(result) == tuple(graph.tensors[graph.outputs[0]].shape) == (1, 5)
