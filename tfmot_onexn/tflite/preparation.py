"""Rewrites a Keras model so that stock XNNPACK can run it sparse on ARM.

XNNPACK multiplies sparse kernels in networks that begin at a 3x3 convolution with
strides of 2 and a padding of 1 on each side, whose depthwise convolutions have a
padding of half their window on each side, and that end in a mean over each image (see
`sparse_inference`). Keras' MobileNets pad on two sides only, and the heads of some keep
the axes that the mean is over, which LiteRT 2.3 fails on.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import calls as calls_lib
from tfmot_onexn.graph import rebuild, surgery, tracing
from tfmot_onexn.graph.calls import Call, Calls

Layer: TypeAlias = tf_keras.layers.Layer
# before and after
Around: TypeAlias = tuple[int, int]
Arounds: TypeAlias = tuple[Around, Around]
layers = tf_keras.layers

# the widest depthwise window that XNNPACK has a kernel for
_WIDEST = 5
# compute each value of a feature map by itself, whatever its rank
_ELEMENTWISE = (
    *(layers.Activation, layers.Add, layers.Dropout, layers.LeakyReLU),
    *(layers.Multiply, layers.ReLU),
)
_ELEMENTWISE_FUNCTIONS = ("__operators__.add", "math.add", "math.multiply")
_FLATTENING = (layers.Flatten, layers.Reshape)


@dataclasses.dataclass(frozen=True)
class Change:
    """Something that `prepare_for_xnnpack` does.

    Attributes:
      layer: the name of the layer that it is done to.
      text: what is done.
      exact: whether the network computes the same after it.
    """

    layer: str
    text: str
    exact: bool


def prepare_for_xnnpack(model: tf_keras.Model) -> tf_keras.Model:
    """Returns a model that stock TFLite runtimes can run sparse on 64-bit ARM.

    * The first convolution gets a padding of 1 on each side. Where Keras pads one side
      only, its sampling grid moves by a pixel: prepare a model *before* fine-tuning.
    * Depthwise convolutions with strides get a padding of half their window on each
      side. A 3x3 window becomes a 5x5 one with taps of zero, which computes the same;
      a 5x5 window moves by a pixel.
    * A head that keeps the axes of its mean becomes one of Dense layers, which computes
      the same.

    That is all that keeps MobileNet, MobileNetV2 and MobileNetV3 out; the constants of
    V3's activations are mended by ``convert_to_tflite(..., for_xnnpack=True)``.

    Args:
      model: a functional or Sequential `tf_keras` model without pruning wrappers, on
        images of a fixed size. It is not changed.

    Returns:
      A functional model with the names of the layers kept.

    Raises:
      ValueError: if the model has wrappers, no graph, or no fixed input size.
    """
    found = _Preparation(model)
    return rebuild.rebuild(model, found.replacements, found.calls, found.weights)


def changes(model: tf_keras.Model) -> list[Change]:
    """Returns what `prepare_for_xnnpack` would do to a model, nothing if it is ready.

    Raises:
      ValueError: as `prepare_for_xnnpack`.
    """
    return _Preparation(model).changes


class _Preparation:
    """Finds what to change.

    Attributes:
      calls: of the model.
      changes: in words.
      replacements: of calls.
      weights: of layers that replacements make.
    """

    def __init__(self, model: tf_keras.Model):
        tracing.require_bare(model)
        self.calls: Calls = calls_lib.of_model(model)
        self._name = model.name
        self._shapes = {
            number: tuple(tensor.shape)
            for tensor, number in zip(model.inputs, self.calls.inputs, strict=True)
        }
        self._makers: dict[int, Call] = {}
        for call in self.calls.calls:
            self._shapes.update(zip(call.outputs, call.shapes, strict=True))
            self._makers.update(dict.fromkeys(call.outputs, call))
        self.changes: list[Change] = []
        self.replacements: dict[Call, rebuild.Replacement] = {}
        self.weights: dict[Layer, list[np.ndarray]] = {}
        for call in self.calls.calls:
            if _has_strided_window(call.layer):
                self._pad_evenly(call)
            elif _keeps_axes(call.layer):
                self._make_head_flat(call)

    def _pad_evenly(self, call: Call) -> None:
        layer = call.layer
        depthwise = isinstance(layer, layers.DepthwiseConv2D)
        channels = self._shapes[call.inputs[0]][-1]
        if not depthwise and (layer.kernel_size != (3, 3) or channels != 3):
            return
        arounds, pad = self._arounds(call)
        size = layer.kernel_size[0]
        half = size // 2
        if arounds == ((0, 0), (0, 0)) or not self._makes_as_much(call, arounds, pad):
            return
        exact = all(around == (half, half) for around in arounds)
        if exact and layer.padding == "valid":
            return
        text = f"padded by {half} on each side"
        if depthwise and not exact and size + 2 <= _WIDEST and _within(arounds, half):
            size, exact = size + 2, True
            text = f"widened to {size}×{size} by taps of zero"
        if not exact:
            text += ", which moves its sampling grid by a pixel"
        self.changes.append(Change(layer.name, text, exact))
        settings = {"kernel_size": (size, size), "padding": "valid"}
        twin = surgery.copy_layer(layer, settings)
        self.weights[twin] = _widened(layer, size, arounds)
        name = f"{layer.name}_pad" if pad is None else pad.layer.name
        padding = layers.ZeroPadding2D(size // 2, name=name)
        if pad is not None:
            self.replacements[pad] = lambda tensors: tensors[0]
        self.replacements[call] = lambda tensors: twin(padding(tensors[0]))

    def _arounds(self, call: Call) -> tuple[Arounds, Call | None]:
        """Returns how a convolution's input is padded, and by which call before it."""
        layer, source = call.layer, call.inputs[0]
        if layer.padding == "same":
            sizes = self._sizes(call, source)
            rows, columns = (
                _same(size, kernel, stride)
                for size, kernel, stride in zip(
                    sizes, layer.kernel_size, layer.strides, strict=True
                )
            )
            return (rows, columns), None
        maker = self._makers.get(source)
        if maker is None or not isinstance(maker.layer, layers.ZeroPadding2D):
            return ((0, 0), (0, 0)), None
        if self.calls.sole_reader(maker) is not call:
            return ((0, 0), (0, 0)), None
        (top, bottom), (left, right) = maker.layer.padding
        return ((top, bottom), (left, right)), maker

    def _makes_as_much(self, call: Call, arounds: Arounds, pad: Call | None) -> bool:
        """Whether half a window on each side leaves the size of the output."""
        source = call.inputs[0] if pad is None else pad.inputs[0]
        (kernel, _), (stride, _) = call.layer.kernel_size, call.layer.strides
        return all(
            (size + sum(around) - kernel) // stride
            == (size + 2 * (kernel // 2) - kernel) // stride
            for size, around in zip(self._sizes(call, source), arounds, strict=True)
        )

    def _sizes(self, call: Call, number: int) -> tuple[int, int]:
        sizes = self._shapes[number][1:3]
        if None in sizes:
            raise ValueError(
                f"How layer {call.layer.name!r} of {self._name!r} pads depends on the "
                "size of the images, which the model leaves open. Build it with a "
                "fixed input shape, such as (224, 224, 3)."
            )
        return sizes

    def _make_head_flat(self, pool: Call) -> None:
        head = self._head(pool)
        if not head:
            return
        text = "pools without keepdims, and the 1×1 convolutions after it are Dense"
        self.changes.append(Change(pool.layer.name, text, True))
        for call in [pool, *head]:
            twin = _flat(call.layer)
            if twin is None:
                continue
            weights = call.layer.get_weights()
            if isinstance(call.layer, layers.Conv2D):
                weights[0] = weights[0][0, 0]
            self.weights[twin] = weights
            self.replacements[call] = _calling(twin)

    def _head(self, pool: Call) -> list[Call]:
        """Returns all that follows a mean if it may as well see a vector, else none."""
        vectors, head = set(pool.outputs), []
        for call in self.calls.calls:
            if vectors.isdisjoint(call.inputs):
                continue
            if not vectors.issuperset(call.inputs) or not _takes_vectors(call):
                return []
            vectors.update(call.outputs)
            head.append(call)
        ends = vectors.intersection(self.calls.outputs)
        flat = ends and all(len(self._shapes[number]) == 2 for number in ends)
        return head if flat else []


def _has_strided_window(layer: Layer) -> bool:
    if type(layer) not in (layers.Conv2D, layers.DepthwiseConv2D):
        return False
    square = len({*layer.kernel_size}) == 1 and layer.kernel_size[0] in (3, _WIDEST)
    return (
        square
        and layer.strides == (2, 2)
        and set(layer.dilation_rate) == {1}
        and getattr(layer, "depth_multiplier", 1) == 1
        and layer.padding in ("same", "valid")
        and layer.data_format == "channels_last"
    )


def _keeps_axes(layer: Layer) -> bool:
    return (
        type(layer) is layers.GlobalAveragePooling2D
        and layer.keepdims
        and layer.data_format == "channels_last"
    )


def _same(size: int, kernel: int, stride: int) -> Around:
    """Returns what TensorFlow's SAME adds before and after."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _within(arounds: Arounds, half: int) -> bool:
    """Whether a window that is wider by one on each side holds the one that was."""
    return all(half - 1 <= before <= half + 1 for before, _ in arounds)


def _widened(layer: Layer, size: int, arounds: Arounds) -> list[np.ndarray]:
    """Returns a layer's weights with its taps where they read what they have read."""
    weights = layer.get_weights()
    if size == layer.kernel_size[0]:
        return weights
    kernel = np.zeros((size, size, *weights[0].shape[2:]), weights[0].dtype)
    (top, _), (left, _) = arounds
    row, column = size // 2 - top, size // 2 - left
    high, wide = layer.kernel_size
    kernel[row : row + high, column : column + wide] = weights[0]
    return [kernel, *weights[1:]]


def _takes_vectors(call: Call) -> bool:
    layer = call.layer
    if isinstance(layer, _FLATTENING):
        return len(call.shapes[0]) == 2
    if type(layer) is layers.Conv2D:
        plain = (layer.kernel_size, layer.strides, layer.groups)
        return plain == ((1, 1), (1, 1), 1)
    if isinstance(layer, layers.BatchNormalization):
        return True
    function = getattr(layer, "symbol", None) or ""
    return isinstance(layer, _ELEMENTWISE) or function in _ELEMENTWISE_FUNCTIONS


def _flat(layer: Layer) -> Layer | None:
    """Returns the layer that does the same to a vector, None if it is the same."""
    config: dict[str, Any] = layer.get_config()
    if isinstance(layer, layers.GlobalAveragePooling2D):
        return type(layer).from_config({**config, "keepdims": False})
    if isinstance(layer, layers.BatchNormalization):
        return type(layer).from_config({**config, "axis": -1})
    if not isinstance(layer, layers.Conv2D):
        return None
    shared = (
        *("name", "trainable", "dtype", "activation", "use_bias"),
        *("kernel_initializer", "bias_initializer", "kernel_regularizer"),
        *("bias_regularizer", "activity_regularizer", "kernel_constraint"),
        "bias_constraint",
    )
    return layers.Dense.from_config(
        {"units": config["filters"], **{name: config[name] for name in shared}}
    )


def _calling(layer: Layer) -> Callable[[list[Any]], Any]:
    return lambda tensors: layer(tensors[0])
