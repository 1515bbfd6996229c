"""Finds what calibration solves: kernels with what follows them linearly."""

import dataclasses
from typing import TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import rearrange
from tfmot_onexn.graph.calls import Call, Calls
from tfmot_onexn.pruning import prunable

Layer: TypeAlias = tf_keras.layers.Layer
layers = tf_keras.layers

_NOTHING_CLIPPED = (-np.inf, np.inf)
# activations that are constant past these bounds
_CLIPPING = {"relu": (0.0, np.inf), "relu6": (0.0, 6.0)}
_HARD_SWISH = (-3.0, np.inf)
# from the input of a hard swish to its product: add 3, ReLU6, divide by 6
_GATE_LENGTH = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """A kernel, the BatchNormalization after it and what becomes of their output.

    Attributes:
      index: of the kernel's call.
      layer: a 1x1 convolution, Dense or a depthwise convolution.
      norm: the BatchNormalization that alone reads it, if there is one.
      source: the number of the tensor that the kernel reads.
      bounds: past which the activation is constant.
      shortcut: the number of the tensor that a residual add brings to the output, if it
        is known before the kernel is.
    """

    index: int
    layer: Layer
    norm: Layer | None
    source: int
    bounds: tuple[float, float]
    shortcut: int | None

    @property
    def depthwise(self) -> bool:
        """Whether each channel has a kernel of its own."""
        return isinstance(self.layer, layers.DepthwiseConv2D)


def find(calls: Calls, pruned: set[int]) -> list[Unit]:
    """Returns the units of a model in the order of computation.

    Args:
      calls: of the model.
      pruned: the ``id`` of the layers to prune.

    Raises:
      ValueError: naming a layer to prune that cannot be solved for.
    """
    found = []
    times: dict[int, int] = {}
    for call in calls.calls:
        times[id(call.layer)] = times.get(id(call.layer), 0) + 1
    for index, call in enumerate(calls.calls):
        layer = call.layer
        obstacle = _obstacle(layer, times[id(layer)])
        if obstacle is None:
            found.append(_unit(calls, index, times))
        elif id(layer) in pruned:
            raise ValueError(
                f"Layer {layer.name!r} ({type(layer).__name__}) cannot be calibrated: "
                f"{obstacle}. Prune 1x1 convolutions and Dense layers that are called "
                "once, as PrunePointwise() does, or leave out the calibration."
            )
    return found


def _obstacle(layer: Layer, times: int) -> str | None:
    """Returns why a layer's weights cannot be solved for, None if they can."""
    dense = isinstance(layer, layers.Dense)
    depthwise = (
        isinstance(layer, layers.DepthwiseConv2D) and layer.depth_multiplier == 1
    )
    pointwise = prunable.kernel_name(layer) == "kernel" and rearrange.pointwise(layer)
    if not (dense or depthwise or pointwise) or hasattr(layer, "get_prunable_weights"):
        return "its kernel is not that of a 1x1 convolution"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its channels come first"
    if getattr(layer, "groups", 1) != 1 and not depthwise:
        return "it has groups"
    return "it is called more than once" if times != 1 else None


def _unit(calls: Calls, index: int, times: dict[int, int]) -> Unit:
    call = end = calls.calls[index]
    layer, norm, bounds = call.layer, None, _NOTHING_CLIPPED
    shortcut = None
    if _name(layer.activation) == "linear":
        after = calls.sole_reader(call)
        if after is not None and _normalizes_channels(after, times):
            norm, end = after.layer, after
        bounds = _clipping(calls, end)
        shortcut = _shortcut(calls, end, index)
    else:
        bounds = _CLIPPING.get(_name(layer.activation), _NOTHING_CLIPPED)
    return Unit(index, layer, norm, call.inputs[0], bounds, shortcut)


def _name(activation) -> str:
    return getattr(activation, "__name__", "")


def _normalizes_channels(call: Call, times: dict[int, int]) -> bool:
    layer = call.layer
    if not isinstance(layer, layers.BatchNormalization) or times[id(layer)] != 1:
        return False
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    return list(axes) in ([-1], [len(call.shapes[0]) - 1])


def _clipping(calls: Calls, call: Call) -> tuple[float, float]:
    """Returns the bounds past which the activation after a call is constant."""
    after = calls.sole_reader(call)
    if after is None:
        return _HARD_SWISH if _is_hard_swish(calls, call) else _NOTHING_CLIPPED
    if isinstance(after.layer, layers.ReLU):
        relu = after.layer
        if relu.negative_slope or relu.threshold:
            return _NOTHING_CLIPPED
        return (0.0, np.inf if relu.max_value is None else float(relu.max_value))
    if isinstance(after.layer, layers.Activation):
        return _CLIPPING.get(_name(after.layer.activation), _NOTHING_CLIPPED)
    return _NOTHING_CLIPPED


def _is_hard_swish(calls: Calls, call: Call) -> bool:
    """Whether a call's output is multiplied by what a ReLU6 makes of it plus 3."""
    readers = [calls.calls[index] for index in calls.readers(call.outputs[0])]
    products = [r for r in readers if isinstance(r.layer, layers.Multiply)]
    if len(readers) != 2 or len(products) != 1:
        return False
    gate = next(reader for reader in readers if reader is not products[0])
    passed = []
    for _ in range(_GATE_LENGTH):
        passed.append(gate.layer)
        after = calls.sole_reader(gate)
        if after is None or after is products[0]:
            break
        gate = after
    six = [x for x in passed if isinstance(x, layers.ReLU) and x.max_value == 6]
    return after is products[0] and len(six) == 1


def _shortcut(calls: Calls, call: Call, index: int) -> int | None:
    """Returns the other operand of a residual add, if it is made before ``index``."""
    after = calls.sole_reader(call)
    if after is None or len(after.inputs) != 2 or not _adds(after.layer):
        return None
    (other,) = [number for number in after.inputs if number != call.outputs[0]]
    made_before = {number for c in calls.calls[:index] for number in c.outputs}
    return other if other in made_before or other in calls.inputs else None


def _adds(layer: Layer) -> bool:
    name = getattr(layer, "symbol", "") or layer.name
    return isinstance(layer, layers.Add) or "__operators__.add" in name
