"""Small `.tflite` files of every kind that this package writes, and a few others."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

from tfmot_onexn.sparsity import masks
from tfmot_onexn.tflite import convert


def build() -> dict[str, bytes]:
    """Returns the files by name, each of 1 to 11 kB."""
    return {
        "pointwise": _layer(layers.Conv2D(32, 1), (4, 4, 16), n=4),
        "window": _layer(layers.Conv2D(8, 3, padding="same"), (4, 4, 8), n=4),
        "dense_layer": _layer(layers.Dense(32), (24,), n=4),
        "float16": _layer(layers.Conv2D(48, 1), (4, 4, 24), n=4, float16=True),
        "weights": _layer(layers.Conv2D(32, 1), (4, 4, 16), n=1),
        "not_sparse": _layer(layers.Conv2D(8, 3), (4, 4, 4), n=0),
        "depthwise": _depthwise(),
        "network": _network(),
        "loop": _loop(),
        "int8": _int8(),
    }


def _layer(layer, shape, n: int, **options) -> bytes:
    """Converts one layer whose kernel is 70 % zeros in 1xn blocks, or has none."""
    model = tf_keras.Sequential([layers.Input(shape), layer])
    _set_random(model, n)
    return convert.convert_to_tflite(model, **options)


def _depthwise() -> bytes:
    model = tf_keras.Sequential(
        [
            layers.Input((6, 6, 16)),
            layers.DepthwiseConv2D(3, activation="relu6"),
            layers.Conv2D(32, 1),
            layers.GlobalAveragePooling2D(),
        ]
    )
    _set_random(model, 4)
    return convert.convert_to_tflite(model)


def _network() -> bytes:
    """The operators around the layers of a network."""
    image = layers.Input((8, 8, 4))
    x = layers.ZeroPadding2D(((0, 1), (0, 1)))(image)
    x = y = layers.Conv2D(16, 3, 2, activation="relu6")(x)
    y = layers.Conv2D(16, 1, activation="swish")(y)
    gate = layers.Conv2D(16, 1, activation="hard_sigmoid")(
        layers.GlobalAveragePooling2D(keepdims=True)(y)
    )
    x = layers.Add()([x, layers.Multiply()([y, gate])])
    x = layers.Concatenate()([layers.MaxPool2D()(x), layers.AveragePooling2D()(x)])
    x = layers.Dense(8, activation="softmax")(layers.Reshape((-1,))(x))
    model = tf_keras.Model(image, x)
    _set_random(model, 4)
    return convert.convert_to_tflite(model)


def _set_random(model, n: int) -> None:
    rng = np.random.default_rng(0)
    for variable in model.weights:
        value = rng.normal(size=variable.shape).astype(np.float32)
        if n and value.ndim in (2, 4) and "depthwise" not in variable.name:
            value *= masks.block_mask(value, n, 0.7)
        variable.assign(value)


def _loop() -> bytes:
    """A file of several subgraphs with a loop, a signature and no kernel."""

    @tf.function(input_signature=[tf.TensorSpec((3,)), tf.TensorSpec((), tf.int32)])
    def powers(x, count):
        def body(step, value):
            return step + 1, value * 2

        return tf.while_loop(lambda step, _: step < count, body, (0, x))[1]

    holder = tf.Module()
    return _converted([powers.get_concrete_function()], holder)


def _int8() -> bytes:
    """A file with quantized weights, which are read as none of ours."""
    model = tf_keras.Sequential([layers.Input((4, 4, 8)), layers.Conv2D(8, 3)])
    _set_random(model, 0)

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 8))])
    def serve(image):
        return model(image)

    holder = tf.Module()
    holder.kept = model.variables
    images = np.random.default_rng(0).normal(size=(2, 1, 4, 4, 8)).astype(np.float32)

    def quantize(converter):
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)

    return _converted([serve.get_concrete_function()], holder, quantize)


def _converted(
    functions: list, holder: tf.Module, change: Callable | None = None
) -> bytes:
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, holder)
    if change is not None:
        change(converter)
    return converter.convert()
