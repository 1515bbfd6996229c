import math

import numpy as np
import pytest
from tvm import relax

from tfmot_onexn.tvm import matching
from tfmot_onexn.tvm.graph import Graph
from tfmot_onexn.tvm.kernels.epilogue import Clip, HardSwish, Operand, Scalar

SHAPE = (1, 4, 4, 8)


def graph_of(body, results=None):
    """A graph of ``x``: an exp, which nothing takes, and what follows it."""
    x = relax.Var("x", relax.TensorType(SHAPE, "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x]):
        with builder.dataflow():
            start = builder.emit(relax.op.exp(x))
            found = body(builder, start)
            result = builder.emit_output(
                relax.op.exp(found) if results is None else results(builder, found)
            )
        builder.emit_func_output(result)
    return Graph(builder.get()["main"])


def tail_of(body):
    graph = graph_of(body)
    return matching.tail(graph, graph.bindings[0])


def const(value):
    return relax.const(np.asarray(value, np.float32))


def hard_swish(builder, x, three=3.0, high=6, divisor=6.0):
    plus = builder.emit(relax.op.add(x, const(three)))
    gate = builder.emit(relax.op.clip(plus, 0, high))
    times = builder.emit(relax.op.multiply(x, gate))
    return builder.emit(relax.op.divide(times, const(divisor)))


def test_steps_are_followed_in_order():
    bias = np.arange(8, dtype=np.float32)

    def body(builder, x):
        x = builder.emit(relax.op.add(x, const(bias)))
        x = builder.emit(relax.op.clip(x, 0, 6))
        x = builder.emit(relax.op.subtract(x, const(2.0)))
        x = builder.emit(relax.op.divide(x, const(4.0)))
        return builder.emit(relax.op.nn.relu(x))

    found = tail_of(body)
    np.testing.assert_array_equal(found.bias(8), bias)
    assert found.steps == [
        Clip(0.0, 6.0),
        Scalar("add", -2.0),
        Scalar("multiply", 0.25),
        Clip(0.0, math.inf),
    ]
    assert len(found.taken) == 5
    assert found.others == []


def test_without_a_bias_there_are_zeros():
    found = tail_of(lambda builder, x: builder.emit(relax.op.nn.relu(x)))
    np.testing.assert_array_equal(found.bias(8), np.zeros(8))
    assert len(found.steps) == 1


def test_a_hard_swish_is_one_step():
    found = tail_of(hard_swish)
    assert found.steps == [HardSwish()]
    assert len(found.taken) == 4


@pytest.mark.parametrize("other", [{"three": 2.0}, {"high": 5}, {"divisor": 5.0}])
def test_what_is_nearly_a_hard_swish_is_none(other):
    found = tail_of(lambda builder, x: hard_swish(builder, x, **other))
    assert found.steps == []


def test_a_hard_swish_whose_gate_is_read_elsewhere_is_none():
    def body(builder, x):
        plus = builder.emit(relax.op.add(x, const(3.0)))
        gate = builder.emit(relax.op.clip(plus, 0, 6))
        times = builder.emit(relax.op.multiply(x, gate))
        sixth = builder.emit(relax.op.divide(times, const(6.0)))
        return builder.emit(relax.op.add(sixth, builder.emit(relax.op.exp(gate))))

    assert tail_of(body).steps == []


@pytest.mark.parametrize("inner", ["start", "plus", "gate", "times"])
def test_a_hard_swish_with_an_inner_result_that_is_returned_is_none(inner):
    kept = {}

    def body(builder, x):
        kept["start"] = x
        kept["plus"] = builder.emit(relax.op.add(x, const(3.0)))
        kept["gate"] = builder.emit(relax.op.clip(kept["plus"], 0, 6))
        kept["times"] = builder.emit(relax.op.multiply(x, kept["gate"]))
        return builder.emit(relax.op.divide(kept["times"], const(6.0)))

    graph = graph_of(body, lambda _, found: relax.Tuple([found, kept[inner]]))
    assert matching.tail(graph, graph.bindings[0]).steps == []
    # the last one may be
    graph = graph_of(body, lambda _, found: relax.Tuple([found]))
    assert matching.tail(graph, graph.bindings[0]).steps == [HardSwish()]


def test_other_feature_maps_and_gates_are_operands():
    def body(builder, x):
        y = builder.emit(relax.op.mean(builder.emit(relax.op.exp(x)), [1, 2], True))
        return builder.emit(relax.op.multiply(builder.emit(relax.op.cos(x)), y))

    graph = graph_of(body)
    [cosine] = [each for each in graph.bindings if "cos" in str(each.value.op)]
    found = matching.tail(graph, cosine)
    assert found.steps == [Operand("multiply", (1, 1, 1, 8))]
    residual = graph_of(
        lambda builder, x: builder.emit(
            relax.op.add(builder.emit(relax.op.cos(x)), builder.emit(relax.op.sin(x)))
        )
    )
    found = matching.tail(residual, residual.bindings[1])
    assert found.steps == [Operand("add")]


@pytest.mark.parametrize("shape", [(1, 4, 4, 1), (1,), ()])
def test_scalars_are_operands_of_scalars_only(shape):
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    y = relax.Var("y", relax.TensorType((), "float32"))
    builder = relax.BlockBuilder()
    with builder.function("main", [x, y]):
        with builder.dataflow():
            result = builder.emit_output(relax.op.multiply(x, y))
        builder.emit_func_output(result)
    graph = Graph(builder.get()["main"])
    [binding] = graph.bindings
    found = matching.step_of(graph, binding, x)
    assert (found is None) is bool(shape)
    if found is not None:
        assert found[0] == Operand("multiply")
        assert found[1].same_as(y)


def test_a_division_by_zero_is_no_step():
    found = tail_of(lambda builder, x: builder.emit(relax.op.divide(x, const(0.0))))
    assert found.steps == []


def test_it_ends_where_something_else_reads_too():
    def body(builder, x):
        y = builder.emit(relax.op.nn.relu(x))
        return builder.emit(relax.op.add(y, builder.emit(relax.op.exp(y))))

    found = tail_of(body)
    assert found.steps == [Clip(0.0, math.inf)]


def padded(pads, mode="constant", value=0.0, read_twice=False):
    def body(builder, x):
        y = builder.emit(relax.op.nn.pad(x, pads, mode, value))
        other = relax.op.exp(y) if read_twice else relax.op.cos(y)
        z = builder.emit(relax.op.sin(y)) if read_twice else None
        w = builder.emit(other)
        return w if z is None else builder.emit(relax.op.add(w, z))

    graph = graph_of(body)
    return graph, graph.bindings[1]


def test_a_padding_before_a_layer_is_looked_through():
    graph, pad = padded([0, 0, 1, 2, 3, 4, 0, 0])
    x, padding, binding = matching.padding_before(graph, pad.var)
    assert x.same_as(pad.value.args[0])
    assert padding == (1, 3, 2, 4)
    assert binding.var.same_as(pad.var)


@pytest.mark.parametrize(
    "options",
    [
        {"pads": [0, 0, 1, 1, 1, 1, 0, 1]},
        {"pads": [0, 0, 1, 1, 1, 1, 0, 0], "value": 1.0},
        {"pads": [0, 0, 1, 1, 1, 1, 0, 0], "mode": "reflect"},
        {"pads": [0, 0, 1, 1, 1, 1, 0, 0], "read_twice": True},
    ],
)
def test_another_padding_is_not(options):
    graph, pad = padded(**options)
    x, padding, binding = matching.padding_before(graph, pad.var)
    assert x.same_as(pad.var)
    assert padding == (0, 0, 0, 0)
    assert binding is None
