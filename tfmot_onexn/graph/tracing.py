"""Walks a Keras model and follows its channels by the rules of `rules`."""

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import rules, surgery
from tfmot_onexn.graph.channel_groups import ChannelGraph, Channels, Trace


def is_traceable(model) -> bool:
    """Returns whether a model has a graph: a functional or a built Sequential one."""
    return isinstance(model, tf_keras.Model) and bool(
        getattr(model, "_is_graph_network", False)
    )


def unwrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    """Returns the layer inside a pruning wrapper, or the layer itself."""
    wrapped = isinstance(layer, pruning_wrapper.PruneLowMagnitude)
    return layer.layer if wrapped else layer


def is_wrapped(model: tf_keras.Model) -> bool:
    """Returns whether a model has pruning wrappers."""
    return any(unwrapped(leaf) is not leaf for leaf in surgery.leaf_layers(model))


def require_bare(model: tf_keras.Model) -> None:
    """Raises ValueError if a model has pruning wrappers: their masks would stay."""
    if is_wrapped(model):
        raise ValueError(
            f"Model {model.name!r} has pruning wrappers. Strip them first: "
            "tfmot_onexn.strip_pruning(model)."
        )


def trace(model: tf_keras.Model) -> ChannelGraph:
    """Follows every channel of a model and divides them into groups.

    Args:
      model: a functional or built Sequential model, pruning wrappers allowed. It is
        only read.

    Raises:
      ValueError: if the model has no graph.
    """
    if not is_traceable(model):
        raise ValueError(
            f"The channels of {getattr(model, 'name', model)!r} cannot be traced: it "
            "is not a functional or built Sequential tf_keras model. Build it on an "
            "input shape, or write it with the functional API."
        )
    noted = Trace()
    inputs = []
    for tensor in model.inputs:
        shape = tuple(tensor.shape)
        numbers = noted.new_channels(shape[-1] or 1)
        noted.pin(numbers, cg.MODEL_INPUT)
        inputs.append(Channels(numbers, shape, zero=True))
    for channels in _walk(noted, model, inputs):
        is_map = any(size != 1 for size in channels.shape[1:-1])
        noted.pin(channels.numbers, cg.MODEL_FEATURES if is_map else cg.MODEL_OUTPUT)
    return noted.finish()


def _walk(noted: Trace, model, inputs: list[Channels]) -> list[Channels]:
    """Follows a model's graph from the channels of its inputs to its outputs."""
    known = {id(tensor): c for tensor, c in zip(model.inputs, inputs, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for call in model._nodes_by_depth[depth]:
            outputs = tf.nest.flatten(call.outputs)
            if all(id(tensor) in known for tensor in outputs):
                continue
            sources = [known[id(tensor)] for tensor in call.keras_inputs]
            results = _follow(noted, call, sources)
            known.update(
                (id(tensor), c) for tensor, c in zip(outputs, results, strict=True)
            )
    return [known[id(tensor)] for tensor in model.outputs]


def _follow(noted: Trace, call, sources: list[Channels]) -> list[Channels]:
    layer = unwrapped(call.layer)
    if is_traceable(layer):
        return _walk(noted, layer, sources)
    rule = rules.rule_for(layer)
    if rule is None:
        return rules.untraceable(noted, layer, sources, call)
    return rule(noted, layer, sources, call)
