"""Reads the kernels of a Keras model, with pruning wrappers or without."""

import dataclasses
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.graph import calls, macs, tracing
from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.pruning import prunable
from tfmot_onexn.pruning.wrapper import KernelWrapper

Layer: TypeAlias = tf_keras.layers.Layer
layers = tf_keras.layers


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel of a model.

    Attributes:
      name: of the layer, after those of the models and layers it is in, and of the
        weight where a layer has several.
      operator: the TFLite operator that a converter makes of it, None if not known.
      strided: whether it is a convolution with strides.
      kernel: weights as the masks leave them, ``[kh, kw, in, out]`` or ``[in, out]``;
        ``[kh, kw, out, 1]`` if depthwise.
      macs: multiply-accumulates per image over all calls, None if not known.
      pinned: why its output channels stay in place.
      kept: why none of them can be removed, where their order is free.
      notes: where the blocks are not what N says.
    """

    name: str
    operator: str | None
    strided: bool
    kernel: np.ndarray
    macs: int | None
    pinned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def remarks(self) -> dict[str, tuple[str, ...]]:
        """Returns ``pinned``, ``kept`` and ``notes``."""
        return {"pinned": self.pinned, "kept": self.kept, "notes": self.notes}


# TensorFlow's operator -> the one that the converter makes of it
_OPERATORS = {
    "Conv2D": "CONV_2D",
    "Conv2DBackpropInput": "TRANSPOSE_CONV",
    "Conv3D": "CONV_3D",
    "Conv3DBackpropInputV2": "CONV_3D_TRANSPOSE",
    "DepthwiseConv2dNative": "DEPTHWISE_CONV_2D",
    **dict.fromkeys(
        ("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"), "FULLY_CONNECTED"
    ),
}
_TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
_DEPTHWISE = "depthwise_kernel"


class ModelKernels:
    """The kernels of a model, and what cannot be told of it.

    Attributes:
      untraced: a line for each layer whose channels could not be followed.
      unlisted: a line for each layer with weights of two axes that are no kernels.
    """

    def __init__(self, model: tf_keras.Model):
        """Traces a model, which is only read.

        Raises:
          ValueError: if it is no `tf_keras` model.
        """
        if not isinstance(model, tf_keras.Model):
            raise ValueError(
                "Expected a tf_keras model or the path of a .tflite, found "
                f"{model!r} ({type(model).__module__}). A Keras 3 model comes in "
                "through tfmot_onexn.from_keras3(model)."
            )
        self._uses = macs.uses(model)
        self._layers = list(_flatten(model))
        self._wrappers = [
            layer
            for layer in model._flatten_layers()
            if isinstance(layer, pruning_wrapper.PruneLowMagnitude)
        ]
        self._pinned: dict[int, tuple[str, ...]] = {}
        self._kept: dict[int, tuple[str, ...]] = {}
        self.untraced: tuple[str, ...] = (
            f"{model.name}: has no graph; build it on an input shape, or write it with "
            "the functional API",
        )
        if calls.has_graph(model):
            self._follow_channels(model)
        self.unlisted = tuple(
            f"{path} ({type(layer).__name__})"
            for path, layer in self._layers
            if any(
                weight.shape.rank >= 2 and not self._is_kernel(layer, weight)
                for weight in _own_weights(layer)
            )
        )

    def read(self) -> Iterator[Kernel]:
        """Yields the kernels: what pruning masks, and what feature maps are
        multiplied by.

        A layer that is called several times has one kernel; the layers of an unbuilt
        model are read as far as they are built.
        """
        masks = {
            id(weight): mask
            for wrapper in self._wrappers
            for weight, mask, _ in wrapper.pruning_vars
        }
        notes = self._block_notes()
        for path, layer in self._layers:
            found = [w for w in _own_weights(layer) if self._is_kernel(layer, w)]
            for weight in found:
                use = self._uses.get(id(weight))
                values = weight.read_value().numpy()
                if id(weight) in masks:
                    values = values * masks[id(weight)].read_value().numpy()
                yield Kernel(
                    name=path if len(found) == 1 else f"{path}/{_short_name(weight)}",
                    operator=_operator(use, weight) if use else None,
                    strided=bool(use and use.strided),
                    kernel=_in_order(layer, weight, values),
                    macs=use.macs if use else None,
                    pinned=self._pinned.get(id(weight), ()),
                    kept=self._kept.get(id(weight), ()),
                    notes=notes.get(id(weight), ()),
                )

    def _is_kernel(self, layer: Layer, weight) -> bool:
        return (
            id(weight) in self._uses
            or weight is getattr(layer, _DEPTHWISE, None)
            or any(weight is w for w in _prunable_weights(layer))
        )

    def _follow_channels(self, model: tf_keras.Model) -> None:
        graph = tracing.trace(model)
        self.untraced = graph.untraced
        for group in graph.groups:
            for member in group.members_as(cg.OUTPUT):
                weight = member.axis.layer.weights[member.axis.weight]
                known = self._pinned if group.pinned else self._kept
                reasons = (*known.get(id(weight), ()), *(group.pinned or group.kept))
                known[id(weight)] = tuple(dict.fromkeys(reasons))

    def _block_notes(self) -> dict[int, tuple[str, ...]]:
        """Returns which block rows of wrapped layers are narrower than N."""
        notes: dict[int, tuple[str, ...]] = {}
        for wrapper in self._wrappers:
            if not isinstance(wrapper, KernelWrapper) or not wrapper.block_size:
                continue
            n, groups = wrapper.block_size, getattr(wrapper.layer, "groups", 1)
            for weight, _, _ in wrapper.pruning_vars:
                width = weight.shape[-1] // groups
                each = " of a group" if groups > 1 else ""
                if n > width:
                    line = f"N = {n} > {width} channels{each}: one narrow block row"
                elif width % n:
                    line = (
                        f"N = {n} does not divide {width} channels{each}: the last "
                        f"block row has {width % n}"
                    )
                else:
                    continue
                notes[id(weight)] = (line,)
        return notes


def _operator(use: macs.Use, weight) -> str | None:
    if use.operator == "Einsum" and weight.shape.rank == 2:
        return "FULLY_CONNECTED"
    return _OPERATORS.get(use.operator)


def _flatten(layer: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """Yields the layers inside a layer with their paths, each once, no wrappers."""
    seen: set[int] = set()

    def visit(parent: Layer, path: str) -> Iterator[tuple[str, Layer]]:
        for inner in parent._flatten_layers(recursive=False, include_self=False):
            child = tracing.unwrapped(inner)
            if id(child) not in seen:
                seen.add(id(child))
                name = f"{path}{child.name}"
                yield name, child
                yield from visit(child, f"{name}/")

    yield from visit(layer, path)


def _own_weights(layer: Layer) -> list[Any]:
    """Returns the weights that a layer itself has made, not the layers inside it."""
    return [*layer._trainable_weights, *layer._non_trainable_weights]


def _prunable_weights(layer: Layer) -> list[Any]:
    if not layer.built or not prunable.is_prunable(layer, "weight"):
        return []
    return prunable.prunable_weights(layer, "weight")


def _short_name(weight) -> str:
    return weight.name.split("/")[-1].split(":")[0]


def _in_order(layer: Layer, weight, values: np.ndarray) -> np.ndarray:
    """Returns a kernel with its axes in the order of `Kernel.kernel`."""
    if isinstance(layer, _TRANSPOSED):
        return np.swapaxes(values, -1, -2)
    if weight is getattr(layer, _DEPTHWISE, None):
        return values.reshape(*values.shape[:-2], -1, 1)
    return values
