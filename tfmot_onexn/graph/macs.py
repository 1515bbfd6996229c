"""Counts the multiply-accumulates of each weight of a Keras model.

A model's inference is traced into a TensorFlow graph. There each weight is followed to
the operators that multiply feature maps by it, whichever layers called them, however
often, in whatever model inside the model.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tf_keras


@dataclasses.dataclass
class Use:
    """What a model does with a weight.

    Attributes:
      operator: the TensorFlow operator that multiplies by it.
      strided: whether it is a convolution with strides.
      macs: multiply-accumulates per image over all calls, None where a size is not
        known.
    """

    operator: str
    strided: bool
    macs: int | None


# convolution -> axes of its kernel that one position of the counted feature map meets
_CONVOLUTIONS = {
    "Conv2D": slice(0, -1),
    "Conv3D": slice(0, -1),
    "Conv2DBackpropInput": slice(0, -1),
    "Conv3DBackpropInputV2": slice(0, -1),
    "DepthwiseConv2dNative": slice(0, -2),
}
_PRODUCTS = ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum")
_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
# what a weight may pass on its way: masks, casts, other shapes
_PASSING = {
    *("ReadVariableOp", "Identity", "Cast", "Mul"),
    *("ExpandDims", "Reshape", "Squeeze", "Transpose"),
}


def uses(model: tf_keras.Model) -> dict[int, Use]:
    """Returns what a model does with its weights, by the ``id`` of the variable.

    Left out are weights that nothing is multiplied by, and those inside loops
    (recurrent layers), whose number of turns the graph does not tell.

    Args:
      model: any `tf_keras` model; a batch of one is assumed where it leaves the size
        open. It is only read.

    Returns:
      Nothing for a model that was neither built on an input shape nor called.
    """
    if model.dynamic or model.save_spec() is None:
        return {}
    args, kwargs = tf.nest.map_structure(_one_image, model.save_spec())
    constants = {"training": False} if model._expects_training_arg else {}

    @tf.function(autograph=False)
    def infer(*args, **kwargs):
        return model(*args, **kwargs, **constants)

    graph = infer.get_concrete_function(*args, **kwargs).graph
    batch = next((spec.shape[0] for spec in tf.nest.flatten(args) if spec.shape), 1)
    by_handle = {
        id(part.handle): variable
        for variable in model.weights
        for part in getattr(variable, "values", (variable,))
    }
    captured = {
        inside.op.name: [by_handle[id(outside)]]
        for outside, inside in graph.captures
        if id(outside) in by_handle
    }
    found: dict[int, Use] = {}
    for operator, variable, macs in _products(graph, captured, batch):
        use = found.setdefault(id(variable), Use(operator.type, False, 0))
        use.strided |= _is_strided(operator)
        if macs is None or use.macs is None:
            use.macs = None
        else:
            use.macs += macs // batch
    return found


def _one_image(spec: Any) -> Any:
    if not isinstance(spec, tf.TensorSpec) or not spec.shape.rank:
        return spec
    shape = [1 if spec.shape[0] is None else spec.shape[0], *spec.shape[1:]]
    return tf.TensorSpec(shape, spec.dtype, spec.name)


Sources = dict[str, list[Any]]


def _products(
    graph: Any, sources: Sources, images: int | None
) -> Iterator[tuple[Any, Any, int | None]]:
    """Yields each operator that multiplies by a weight of two axes or more.

    Args:
      graph: of the whole model or of a function that it calls.
      sources: the weights that the graph's inputs stand for, by their name.
      images: the size of the first axis where a function leaves it open.

    Yields:
      The operator, the weight and the multiply-accumulates of the call.
    """
    for operator in _needed(graph):
        if operator.type in _CALLS:
            inner = graph._get_function(operator.get_attr("f").name).graph
            given = {
                inside.op.name: list(_weights(outside, sources))
                for inside, outside in zip(inner.inputs, operator.inputs, strict=True)
            }
            rank = operator.inputs[0].shape.rank
            yield from _products(
                inner, given, operator.inputs[0].shape[0] if rank else None
            )
            continue
        multiplied: list[Any] = []
        if operator.type in _CONVOLUTIONS:
            multiplied = [operator.inputs[1]]
        elif operator.type in _PRODUCTS:
            multiplied = list(operator.inputs)
        for tensor in multiplied:
            for weight in _weights(tensor, sources):
                if weight.shape.rank >= 2:
                    yield operator, weight, _macs(operator, images)


def _needed(graph: Any) -> list[Any]:
    """Returns the operators that a graph's outputs depend on."""
    needed: dict[str, Any] = {}
    waiting = [tensor.op for tensor in graph.outputs]
    while waiting:
        operator = waiting.pop()
        if operator.name not in needed:
            needed[operator.name] = operator
            waiting += [tensor.op for tensor in operator.inputs]
    return list(needed.values())


def _weights(tensor: Any, sources: Sources) -> Iterator[Any]:
    """Yields the weights that a tensor is made of."""
    if tensor.op.name in sources:
        yield from sources[tensor.op.name]
    elif tensor.op.type in _PASSING:
        for source in tensor.op.inputs:
            yield from _weights(source, sources)


def _macs(operator: Any, images: int | None) -> int | None:
    """Returns the multiply-accumulates of one call."""
    (output,) = operator.outputs
    if operator.type in _CONVOLUTIONS:
        counted = operator.inputs[2] if "Backprop" in operator.type else output
        window = operator.inputs[1].shape[_CONVOLUTIONS[operator.type]]
        first = images if counted.shape[0] is None else counted.shape[0]
        return _product([first, *counted.shape[1:], *window])
    if operator.type == "Einsum":
        equation = operator.get_attr("equation").decode()
        letters = equation.split("->")[0].split(",")
        sizes: dict[str, int | None] = {}
        for term, tensor in zip(letters, operator.inputs, strict=True):
            sizes.update(zip(term, tensor.shape, strict=False))
        return None if "." in equation else _product(sizes.values())
    transposed = operator.get_attr(
        "transpose_a" if operator.type == "MatMul" else "adj_x"
    )
    inner = operator.inputs[0].shape[-2 if transposed else -1]
    return _product([*output.shape, inner])


def _product(sizes: Any) -> int | None:
    sizes = list(sizes)
    return None if None in sizes else math.prod(sizes)


def _is_strided(operator: Any) -> bool:
    return operator.type in _CONVOLUTIONS and set(operator.get_attr("strides")) != {1}
