"""The layer calls of a model in the order of computation."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tensorflow as tf
import tf_keras

Layer: TypeAlias = tf_keras.layers.Layer


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A call of a layer.

    Attributes:
      layer: the one that is called, never a model.
      inputs: the numbers of the tensors that it reads.
      outputs: the numbers of those that it makes.
      shapes: of the outputs, None where a size is not known.
    """

    layer: Layer
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: tuple[tuple[int | None, ...], ...]
    _node: Any

    @property
    def args(self) -> tuple:
        """The positional arguments, Keras tensors where it reads tensors."""
        return self._node.call_args

    @property
    def kwargs(self) -> dict[str, Any]:
        """The same of the keyword arguments."""
        return self._node.call_kwargs

    def run(self, values: Mapping[int, tf.Tensor], layer: Layer | None = None) -> list:
        """Computes the outputs, as inference does.

        Args:
          values: the tensors by their numbers.
          layer: another one to call with the same arguments.
        """
        given: dict[str, list[tf.Tensor]] = {}
        for name, number in zip(self._node.flat_input_ids, self.inputs, strict=True):
            given.setdefault(name, []).append(values[number])
        args, kwargs = self._node.map_arguments(given)
        return tf.nest.flatten((layer or self.layer)(*args, **kwargs))


@dataclasses.dataclass(frozen=True, eq=False)
class Calls:
    """All calls of a model.

    Attributes:
      inputs: the numbers of the model's inputs.
      outputs: the numbers of its outputs.
      calls: every call after those whose outputs it reads.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    calls: tuple[Call, ...]

    def readers(self, number: int) -> list[int]:
        """Returns the indices of the calls that read a tensor, one per reading."""
        return [
            index
            for index, call in enumerate(self.calls)
            for read in call.inputs
            if read == number
        ]

    def sole_reader(self, call: Call) -> Call | None:
        """Returns the call that alone reads what a call makes, None if there is none.

        An output of the model has a reader outside.
        """
        if len(call.outputs) != 1 or call.outputs[0] in self.outputs:
            return None
        found = self.readers(call.outputs[0])
        return self.calls[found[0]] if len(found) == 1 else None

    def last_reading(self) -> dict[int, int]:
        """Returns the index of the last call that reads a tensor, by its number."""
        last = dict.fromkeys(self.outputs, len(self.calls))
        for index, call in enumerate(self.calls):
            for number in call.inputs:
                last[number] = max(last.get(number, 0), index)
        return last


def has_graph(model) -> bool:
    """Returns whether a model is a functional or a built Sequential one."""
    return isinstance(model, tf_keras.Model) and bool(
        getattr(model, "_is_graph_network", False)
    )


def of_model(model: tf_keras.Model) -> Calls:
    """Returns the calls of a model, those of models inside it in their places.

    Args:
      model: a functional or built Sequential model.

    Raises:
      ValueError: if it has no graph.
    """
    if not has_graph(model):
        raise ValueError(
            f"The layers of {getattr(model, 'name', model)!r} cannot be followed: it is"
            " not a functional or built Sequential tf_keras model. Build it on an "
            "input shape, or write it with the functional API."
        )
    numbers = itertools.count()
    inputs = tuple(next(numbers) for _ in model.inputs)
    found: list[Call] = []
    outputs = _follow(model, inputs, numbers, found)
    return Calls(inputs, outputs, tuple(found))


def _follow(
    model, inputs: Sequence[int], numbers: itertools.count, found: list[Call]
) -> tuple[int, ...]:
    known = {id(t): number for t, number in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            outputs = tf.nest.flatten(node.outputs)
            if all(id(tensor) in known for tensor in outputs):
                continue
            read = tuple(known[id(tensor)] for tensor in node.keras_inputs)
            if has_graph(node.layer):
                made = _follow(node.layer, read, numbers, found)
            else:
                made = tuple(next(numbers) for _ in outputs)
                shapes = tuple(tuple(tensor.shape) for tensor in outputs)
                found.append(Call(node.layer, read, made, shapes, node))
            known.update(
                (id(tensor), number)
                for tensor, number in zip(outputs, made, strict=True)
            )
    return tuple(known[id(tensor)] for tensor in model.outputs)
