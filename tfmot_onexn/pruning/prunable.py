"""Which weights of a layer can be pruned, and where the layer keeps them."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import tf_keras

Layer: TypeAlias = tf_keras.layers.Layer
layers = tf_keras.layers

_KERNELS: dict[Any, str] = {
    layers.SeparableConv1D: "pointwise_kernel",
    layers.SeparableConv2D: "pointwise_kernel",
    layers.Conv1D: "kernel",
    layers.Conv2D: "kernel",
    layers.Conv3D: "kernel",
    layers.Dense: "kernel",
}
# have no axes [in, out] to cut into blocks; tfmot prunes their single weights
_SINGLE_WEIGHTS: dict[Any, tuple[str, ...]] = {
    layers.Conv1DTranspose: ("kernel",),
    layers.Conv2DTranspose: ("kernel",),
    layers.Conv3DTranspose: ("kernel",),
    layers.Embedding: ("embeddings",),
    layers.GRUCell: ("kernel", "recurrent_kernel"),
    layers.LocallyConnected1D: ("kernel",),
    layers.LocallyConnected2D: ("kernel",),
    layers.LSTMCell: ("kernel", "recurrent_kernel"),
    layers.SimpleRNNCell: ("kernel", "recurrent_kernel"),
}
# their kernels end in [out, in] or have no input channels to choose from
_EXCLUDED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
    layers.DepthwiseConv1D,
    layers.DepthwiseConv2D,
)


def kernel_name(layer: Layer) -> str | None:
    """Returns the attribute that holds a layer's kernel ``[..., in, out]``, or None."""
    if isinstance(layer, _EXCLUDED):
        return None
    for kind, name in _KERNELS.items():
        if isinstance(layer, kind):
            return name
    return None


def is_prunable(layer: Layer, granularity: str = "block") -> bool:
    """Returns whether a layer has weights to prune.

    Supported are Keras layers with a kernel ``[..., in, out]``, their subclasses, and
    any layer with tfmot's ``get_prunable_weights()``. With the granularity "weight"
    also embeddings, transposed and locally connected convolutions, and recurrent layers
    whose cells are all supported.
    """
    return all(
        hasattr(part, "get_prunable_weights") or _weight_names(part, granularity)
        for part in _parts(layer, granularity)
    )


def prunable_weights(layer: Layer, granularity: str = "block") -> list[Any]:
    """Returns the variables of a built layer that pruning masks."""
    found: list[Any] = []
    for part in _parts(layer, granularity):
        if hasattr(part, "get_prunable_weights"):
            found += part.get_prunable_weights()
        else:
            found += [getattr(part, name) for name in _weight_names(part, granularity)]
    return found


def _parts(layer: Layer, granularity: str) -> list[Layer]:
    """Returns the cells of a recurrent layer, or the layer itself."""
    own = granularity == "block" or hasattr(layer, "get_prunable_weights")
    if own or not isinstance(layer, layers.RNN):
        return [layer]
    return list(getattr(layer.cell, "cells", [layer.cell]))


def _weight_names(layer: Layer, granularity: str) -> tuple[str, ...]:
    name = kernel_name(layer)
    if name is not None:
        return (name,)
    if granularity == "weight":
        for kind, names in _SINGLE_WEIGHTS.items():
            if isinstance(layer, kind):
                return names
    return ()


def groups(layer: Layer) -> int:
    """Returns the groups of a grouped convolution, 1 for any other layer."""
    grouped = kernel_name(layer) == "kernel" and not hasattr(
        layer, "get_prunable_weights"
    )
    return getattr(layer, "groups", 1) if grouped else 1


def locate(layer: Layer, variable) -> tuple[Any, str | int]:
    """Finds where a layer keeps a variable.

    Returns:
      The object and the attribute (or the list and the index) that hold it.

    Raises:
      ValueError: if it is not an attribute of the layer or of a layer inside it.
    """
    for owner in layer._flatten_layers():
        for place, value in _places(owner):
            if value is variable:
                return place
    raise ValueError(
        f"Layer {layer.name!r} gives the weight {variable.name!r} for pruning but does "
        "not keep it where it can be masked. Store it as an attribute of the layer, of "
        "a layer inside it, or in a list that is such an attribute."
    )


def _places(owner: Layer) -> Iterator[tuple[tuple[Any, str | int], Any]]:
    for name, value in list(vars(owner).items()):
        yield (owner, name), value
        # Keras' own lists of all weights are not what the layer computes with
        if isinstance(value, list) and not name.startswith("_"):
            for index, item in enumerate(value):
                yield (value, index), item
