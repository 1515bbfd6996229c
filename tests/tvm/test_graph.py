import numpy as np
import pytest
import relax_modules
from tvm import relax

from tfmot_onexn.tvm.graph import Graph, operation, results, shape_of, variables


def kind(*shape):
    return relax.TensorType(shape, "float32")


@pytest.fixture
def graph():
    x = relax.Var("x", kind(2, 3))
    weights = relax.const(np.arange(12, dtype=np.float32).reshape(4, 3))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            positive = builder.emit(relax.op.nn.relu(x))
            square = builder.emit(relax.op.multiply(positive, positive))
            turned = builder.emit(relax.op.permute_dims(weights, [1, 0]))
            product = builder.emit(relax.op.matmul(square, turned))
            result = builder.emit_output(relax.op.add(product, product))
        builder.emit_func_output(result)
    return Graph(builder.get()["main"])


def test_bindings_stand_in_order(graph):
    assert [operation(each) for each in graph.bindings] == [
        *("nn.relu", "multiply", "permute_dims", "matmul", "add"),
    ]
    assert shape_of(graph.bindings[3].var) == (2, 4)


def test_who_reads_what(graph):
    relu, square, turned, product, result = graph.bindings
    # it is read twice, by one
    assert [each.var for each in graph.readers(relu.var)] == [square.var] * 2
    assert graph.only_reader(relu.var) is None
    assert graph.only_reader(square.var).var.same_as(product.var)
    assert graph.is_result(result.var)
    assert graph.only_reader(result.var) is None
    assert graph.binding(turned.var).var.same_as(turned.var)
    assert graph.binding(graph.function.params[0]) is None


def test_what_is_taken_has_no_reader(graph):
    _, square, _, product, _ = graph.bindings
    graph.taken.add(product.var)
    assert graph.only_reader(square.var) is None


def test_constants_and_transposed_ones(graph):
    _, square, turned, product, _ = graph.bindings
    expected = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.testing.assert_array_equal(graph.constant(turned.value.args[0]), expected)
    np.testing.assert_array_equal(graph.constant(product.value.args[1]), expected.T)
    assert graph.constant(square.var) is None
    assert variables(turned.value) == []


def test_results_of_a_tuple_are_its_fields(graph):
    [only] = results(graph.function)
    assert only.same_as(graph.bindings[-1].var)
    function = relax_modules.several().module["main"]
    found = results(function)
    assert [shape_of(each) for each in found] == [(2, 6), (4, 6), (4, 6), (3,)]
    assert found[2].same_as(function.params[0])
    of_several = Graph(function)
    for variable in [*found[:3], of_several.bindings[-1].var]:
        assert of_several.is_result(variable)
        assert of_several.only_reader(variable) is None
    assert not of_several.is_result(function.params[1])


def test_a_shape_that_is_not_static_is_refused():
    with pytest.raises(ValueError, match="has no static shape"):
        shape_of(relax.Var("x", relax.TensorType(None, "float32", ndim=2)))
