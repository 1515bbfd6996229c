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


def is_prunable(layer: Layer) -> bool:
    """Returns whether a layer has weights to prune.

    Supported are Keras layers with a kernel ``[..., in, out]``, their subclasses, and
    any layer with tfmot's ``get_prunable_weights()``.
    """
    return hasattr(layer, "get_prunable_weights") or kernel_name(layer) is not None


def prunable_weights(layer: Layer) -> list[Any]:
    """Returns the variables of a built layer that pruning masks."""
    if hasattr(layer, "get_prunable_weights"):
        return list(layer.get_prunable_weights())
    name = kernel_name(layer)
    return [getattr(layer, name)] if name else []


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
