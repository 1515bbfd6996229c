"""Which rule a layer gets, and what happens where there is none.

A rule gets the trace, the layer, the channels of its inputs and the `Call`, and returns
the channels of its outputs. A subclass is followed by its parent's rule unless it
computes something else.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph.calls import Call
from tfmot_onexn.graph.channel_groups import Channels, Trace

Layer: TypeAlias = tf_keras.layers.Layer
Shape: TypeAlias = tuple[int | None, ...]
Rule = Callable[[Trace, Any, Sequence[Channels], Call], list[Channels]]
RULES: dict[Any, Rule] = {}
_FORWARD_METHODS = ("__call__", "build", "call", "convolution_op")


def rule(*kinds: type) -> Callable[[Rule], Rule]:
    """Registers a function as the rule of some kinds of layers."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def rule_for(layer: Layer) -> Rule | None:
    """Returns the rule of a layer's kind, or None if it cannot be followed."""
    kinds: tuple[Any, ...] = type(layer).__mro__
    for kind in kinds:
        if kind in RULES:
            changed = any(
                getattr(type(layer), method, None) is not getattr(kind, method, None)
                for method in _FORWARD_METHODS
            )
            return None if changed else RULES[kind]
    return None


def untraceable(trace: Trace, layer, inputs, call, why: str = "") -> list[Channels]:
    """Pins what enters and leaves a layer that cannot be followed, and names it."""
    kind = type(layer).__name__
    line = f"{layer.name} ({kind}): {why or 'no rule for this kind of layer'}"
    if line not in trace.untraced:
        trace.untraced.append(line)
    reason = f"touches {line}"
    for channels in inputs:
        trace.pin(channels.numbers, reason)
    outputs = []
    for shape in call.shapes:
        numbers = trace.new_channels(shape[-1] or 1 if shape else 1)
        trace.pin(numbers, reason)
        outputs.append(Channels(numbers, shape, zero=True))
    return outputs


def channels_last(layer) -> bool:
    """Returns whether a layer has its channels on the last axis."""
    return getattr(layer, "data_format", "channels_last") == "channels_last"


def same(call, source: Channels, *, zero: bool = True) -> list[Channels]:
    """Returns the channels of a single output that carries those of the input.

    Args:
      call: the call.
      source: the channels of the input.
      zero: whether a channel that is zero stays so.
    """
    (shape,) = call.shapes
    return [Channels(source.numbers, shape, source.zero and zero)]


def keep_whole_groups(
    trace: Trace, numbers: np.ndarray, groups: int, reason: str
) -> None:
    """Lets channels move only inside ``groups`` equal parts, and none be removed."""
    for part in numbers.reshape(groups, -1):
        trace.separate(part)
    trace.keep(numbers, reason)
