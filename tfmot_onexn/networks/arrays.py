"""Reads network weights from `.npz` archives of plain arrays.

Two layouts are known:

* Keras names: ``<layer>/<weight>``, as ``conv_pw_1/kernel``, in Keras' own layouts.
* Folded MobileNetV2: ``<layer>.w`` (OIHW) and ``<layer>.b`` with the
  BatchNormalization folded in, layers ``conv0``, ``blk<i>.exp``, ``blk<i>.dw``,
  ``blk<i>.proj``, ``conv_last`` and ``fc``.

An integer array carries ``<name>_scale`` and perhaps ``<name>_zp`` and stands for
``(array - zp) * scale``, per output channel. A classifier of one class more than the
network has a first row for the background, which is left out.
"""

import numpy as np
import tf_keras


def load_weights(model: tf_keras.Model, path: str) -> None:
    """Sets the weights of a network from an archive.

    Args:
      model: a MobileNet or MobileNetV2 as `models.build` makes it.
      path: of the `.npz`.

    Raises:
      ValueError: naming the layer that the archive lacks or whose shape differs.
    """
    with np.load(path) as archive:
        stored = {name: archive[name] for name in archive.files}
    if "conv0.w" in stored:
        _set_folded_v2(model, stored)
    else:
        _set_by_keras_names(model, stored)


def _set_by_keras_names(model: tf_keras.Model, stored: dict[str, np.ndarray]) -> None:
    for layer in model.layers:
        names = [
            variable.name.split("/")[-1].split(":")[0] for variable in layer.weights
        ]
        _set(layer, [_array(stored, f"{layer.name}/{name}") for name in names])


def _set_folded_v2(model: tf_keras.Model, stored: dict[str, np.ndarray]) -> None:
    for name, kernel_layer, norm in _v2_layers():
        weights = _array(stored, f"{name}.w")
        depthwise = name.endswith(".dw")
        # OIHW: a depthwise kernel has its channels on the first axis
        _set(
            model.get_layer(kernel_layer),
            [weights.transpose(2, 3, 0, 1) if depthwise else _hwio(weights)],
        )
        _set_identity(model.get_layer(norm), _array(stored, f"{name}.b"))
    classifier = model.get_layer("predictions")
    kernel, bias = _hwio(_array(stored, "fc.w"))[0, 0], _array(stored, "fc.b")
    background = int(kernel.shape[1] == classifier.units + 1)
    _set(classifier, [kernel[:, background:], bias[background:]])


def _v2_layers() -> list[tuple[str, str, str]]:
    """Returns (archive name, kernel layer, BatchNormalization layer) of MobileNetV2."""
    layers = [("conv0", "Conv1", "bn_Conv1")]
    for block in range(17):
        keras = f"block_{block}_" if block else "expanded_conv_"
        if block:
            layers.append((f"blk{block}.exp", f"{keras}expand", f"{keras}expand_BN"))
        layers.append((f"blk{block}.dw", f"{keras}depthwise", f"{keras}depthwise_BN"))
        layers.append((f"blk{block}.proj", f"{keras}project", f"{keras}project_BN"))
    return [*layers, ("conv_last", "Conv_1", "Conv_1_bn")]


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
