import numpy as np
import pytest
import tvm_networks

from tfmot_onexn.tflite import flatbuffer
from tfmot_onexn.tvm import frontend
from tfmot_onexn.tvm.graph import Graph, operation, shape_of


def test_sparse_kernels_are_the_dense_ones(tmp_path):
    kernels = []
    for options in ({}, {"sparse": False}):
        file = tvm_networks.file_of(tmp_path, "mobilenet_v2", 4, **options)
        graph = Graph(frontend.load(file)["main"])
        kernels.append(
            [
                graph.constant(binding.value.args[1])
                for binding in graph.bindings
                if operation(binding) == "nn.conv2d"
            ]
        )
    assert len(kernels[0]) == 52 - 1 + 1
    for sparse, dense in zip(*kernels, strict=True):
        np.testing.assert_array_equal(sparse, dense)


def test_shapes_that_a_file_computes(tmp_path):
    """The head of MobileNet asks for its shape while it runs."""
    from tfmot_onexn.tflite import convert

    file = tmp_path / "head.tflite"
    convert.convert_to_tflite(tvm_networks.network("mobilenet", top=True), file)
    graph = Graph(frontend.load(file)["main"])
    names = {operation(binding) for binding in graph.bindings}
    assert "reshape" in names
    assert "shape_of" not in names
    assert shape_of(graph.function.body.body) == (1, 1000)


def test_several_subgraphs_are_refused(tmp_path):
    file = tvm_networks.file_of(tmp_path, "mobilenet_v2")
    model = flatbuffer.read_file(file)
    model.subgraphs.append(model.subgraphs[0])
    file.write_bytes(flatbuffer.write(model))
    with pytest.raises(ValueError, match="has 2 subgraphs; TVM builds take one"):
        frontend.load(file)
