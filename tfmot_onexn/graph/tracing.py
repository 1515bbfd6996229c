"""Follows the channels of a Keras model by the rules of `rules`."""

import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.graph import calls, rules, surgery
from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph.calls import Call
from tfmot_onexn.graph.channel_groups import ChannelGraph, Channels, Trace


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
    noted, found = Trace(), calls.of_model(model)
    known: dict[int, Channels] = {}
    for number, tensor in zip(found.inputs, model.inputs, strict=True):
        shape = tuple(tensor.shape)
        numbers = noted.new_channels(shape[-1] or 1)
        noted.pin(numbers, cg.MODEL_INPUT)
        known[number] = Channels(numbers, shape, zero=True)
    for call in found.calls:
        sources = [known[number] for number in call.inputs]
        known.update(zip(call.outputs, _follow(noted, call, sources), strict=True))
    for number in found.outputs:
        channels = known[number]
        is_map = any(size != 1 for size in channels.shape[1:-1])
        noted.pin(channels.numbers, cg.MODEL_FEATURES if is_map else cg.MODEL_OUTPUT)
    return noted.finish()


def _follow(noted: Trace, call: Call, sources: list[Channels]) -> list[Channels]:
    layer = unwrapped(call.layer)
    rule = rules.rule_for(layer)
    if rule is None:
        return rules.untraceable(noted, layer, sources, call)
    return rule(noted, layer, sources, call)
