import numpy as np
import pytest
from tvm import relax

from tfmot_onexn.sparsity import bsr
from tfmot_onexn.tvm import layers
from tfmot_onexn.tvm.graph import Graph
from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.dense import Dense
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.pointwise import Steps
from tfmot_onexn.tvm.kernels.product import Product


@pytest.mark.parametrize("shape", [(1, 1, 12, 64), (3, 3, 5, 48)])
@pytest.mark.parametrize("n", [1, 4, 16])
def test_blocks_are_those_of_the_zeros(shape, n, rng):
    kernel = rng.normal(size=shape).astype(np.float32)
    kept = rng.random((shape[2], shape[3] // n)) < 0.5
    kernel *= np.repeat(kept, n, axis=1)
    found, data, indices, indptr = layers.encoded(kernel)
    assert found == n
    decoded = bsr.decode(bsr.BSR(data, indices, indptr), shape)
    np.testing.assert_array_equal(decoded, kernel)


def test_blocks_are_never_wider_than_what_is_unrolled(rng):
    kernel = rng.normal(size=(1, 1, 4, 1000)).astype(np.float32)
    n, data, _, _ = layers.encoded(kernel)
    assert n == 8
    assert data.shape == (4 * 125, 1, 8)


def test_a_kernel_of_zeros_stores_one_block_that_no_row_has():
    n, data, indices, indptr = layers.encoded(np.zeros((3, 3, 4, 16), np.float32))
    assert data.shape == (1, 9, n)
    assert len(indices) == 1
    np.testing.assert_array_equal(indptr, 0)


def layer(shape, kernel, **options):
    """The layer of a convolution."""
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            call = relax.op.nn.conv2d(
                *(x, relax.const(kernel)),
                **{
                    "data_layout": "NHWC",
                    "kernel_layout": "HWIO",
                    "out_layout": "NHWC",
                    **options,
                },
            )
            result = builder.emit_output(call)
        builder.emit_func_output(result)
    graph = Graph(builder.get()["main"])
    return layers.layer_of(graph, graph.bindings[0])


def test_each_convolution_has_its_kernel(rng):
    def weights(*shape):
        return rng.normal(size=shape).astype(np.float32)

    for shape, kernel, options, expected in (
        ((1, 4, 4, 8), weights(1, 1, 8, 16), {}, Product),
        ((1, 4, 4, 8), weights(1, 1, 8, 16), {"strides": 2}, Convolution),
        ((1, 4, 4, 8), weights(3, 3, 8, 16), {"padding": 1}, Convolution),
        ((1, 1, 1, 8), weights(1, 1, 8, 16), {}, Dense),
        ((2, 1, 1, 8), weights(1, 1, 8, 16), {}, Product),
        (
            (1, 4, 4, 8),
            weights(3, 3, 8, 1),
            {"groups": 8, "kernel_layout": "HWOI"},
            Depthwise,
        ),
    ):
        found = layer(shape, kernel, **options)
        assert type(found.kernel) is expected
        assert len(found.taken) == 1


def test_a_convolution_in_groups_has_none(rng):
    kernel = rng.normal(size=(3, 3, 2, 8)).astype(np.float32)
    assert layer((1, 4, 4, 4), kernel, groups=2) is None


@pytest.mark.parametrize(
    ("dtype", "shape", "expected"),
    [
        ("float32", (1, 2, 2, 8), Steps),
        ("float16", (1, 2, 2, 8), None),
        ("int32", (1, 2, 2, 8), None),
        ("float32", (), None),
    ],
)
def test_only_arrays_of_float32_have_a_kernel(dtype, shape, expected):
    x = relax.Var("x", relax.TensorType(shape, dtype))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            three = relax.const(np.asarray(3, dtype))
            result = builder.emit_output(relax.op.add(x, three))
        builder.emit_func_output(result)
    graph = Graph(builder.get()["main"])
    found = layers.layer_of(graph, graph.bindings[0])
    assert (None if found is None else type(found.kernel)) is expected
