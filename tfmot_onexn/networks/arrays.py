"""Reads network weights from `.npz` archives of plain arrays.

Two layouts are known:

* Keras names: ``<layer>/<weight>``, as ``conv_pw_1/kernel``, in Keras' own layouts.
* Folded MobileNets: ``<layer>.w`` (OIHW) and ``<layer>.b`` with the
  BatchNormalization folded in, layers ``conv0``; ``blk<i>.`` with ``exp``, ``dw``,
  ``se1``, ``se2`` and ``proj``; ``conv_last``, ``head`` and ``fc``.

An integer array carries ``<name>_scale`` and perhaps ``<name>_zp`` and stands for
``(array - zp) * scale``, per output channel. A classifier of one class more than the
network has a first row for the background, which is left out.
"""

import re

import numpy as np
import tf_keras

layers = tf_keras.layers
_STEMS_AND_HEADS = {"conv0": -1, "conv_last": 1000, "head": 1001, "fc": 1002}
_IN_BLOCK = ("exp", "dw", "se1", "se2", "proj")


def load_weights(model: tf_keras.Model, path: str) -> None:
    """Sets the weights of a network from an archive.

    Args:
      model: as `models.build` makes it.
      path: of the `.npz`.

    Raises:
      ValueError: naming the layer that the archive lacks or whose shape differs.
    """
    with np.load(path) as archive:
        stored = {name: archive[name] for name in archive.files}
    if "conv0.w" in stored:
        _set_folded(model, stored)
    else:
        _set_by_keras_names(model, stored)


def _set_by_keras_names(model: tf_keras.Model, stored: dict[str, np.ndarray]) -> None:
    for layer in model.layers:
        names = [
            variable.name.split("/")[-1].split(":")[0] for variable in layer.weights
        ]
        _set(layer, [_array(stored, f"{layer.name}/{name}") for name in names])


def _set_folded(model: tf_keras.Model, stored: dict[str, np.ndarray]) -> None:
    names = sorted((n[:-2] for n in stored if n.endswith(".w")), key=_place)
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.Dense)
    found = [layer for layer in model.layers if isinstance(layer, kinds)]
    if len(names) != len(found):
        raise ValueError(f"it has {len(names)} kernels, the network {len(found)}")
    for name, layer in zip(names, found, strict=True):
        weights, bias = _array(stored, f"{name}.w"), _array(stored, f"{name}.b")
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        # OIHW: a depthwise kernel has its channels on the first axis
        kernel = weights.transpose(2, 3, 0, 1) if depthwise else _hwio(weights)
        if layer is found[-1]:
            background = int(bias.size == layer.output_shape[-1] + 1)
            kernel, bias = kernel[..., background:], bias[background:]
        if isinstance(layer, layers.Dense):
            kernel = kernel[0, 0]
        if layer.use_bias:
            _set(layer, [kernel, bias])
        else:
            _set(layer, [kernel])
            (node,) = layer.outbound_nodes
            _set_identity(node.layer, bias)


def _place(name: str) -> tuple[int, int]:
    """Returns where a layer of the archive stands in its network."""
    match = re.fullmatch(r"blk(\d+)\.(\w+)", name)
    if match and match[2] in _IN_BLOCK:
        return int(match[1]), _IN_BLOCK.index(match[2])
    if name not in _STEMS_AND_HEADS:
        raise ValueError(f"the layer {name!r} is not known")
    return _STEMS_AND_HEADS[name], 0


def _array(stored: dict[str, np.ndarray], name: str) -> np.ndarray:
    """Returns an array as float32, integers scaled."""
    if name not in stored:
        raise ValueError(f"the array {name!r} is missing")
    array = stored[name].astype(np.float32)
    if f"{name}_zp" in stored:
        array -= _per_channel(stored[f"{name}_zp"], array)
    if f"{name}_scale" in stored:
        array *= _per_channel(stored[f"{name}_scale"], array)
    return array


def _per_channel(values: np.ndarray, array: np.ndarray) -> np.ndarray:
    return values.astype(np.float32).reshape(-1, *[1] * (array.ndim - 1))


def _hwio(weights_oihw: np.ndarray) -> np.ndarray:
    return weights_oihw.transpose(2, 3, 1, 0)


def _set_identity(layer, bias: np.ndarray) -> None:
    """Lets a BatchNormalization layer add a bias and nothing else."""
    ones, zeros = np.ones_like(bias), np.zeros_like(bias)
    _set(layer, [ones, bias, zeros, ones - layer.epsilon])


def _set(layer, weights: list[np.ndarray]) -> None:
    expected = [tuple(variable.shape) for variable in layer.weights]
    found = [array.shape for array in weights]
    if expected != found:
        raise ValueError(f"layer {layer.name!r} has {expected}, the file {found}")
    layer.set_weights(weights)
