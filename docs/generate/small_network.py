"""The network whose kernels the pictures show: trained in seconds, the same each time.

Random weights would do for the drawing code but not for the reader: trained filters
differ in norm and fit each other, which is what rearrangement lives on.
"""

import functools

import numpy as np
import tf_keras
from sklearn.datasets import load_digits

layers = tf_keras.layers

# the 1x1 convolutions, in graph order
POINTWISE = ("expand", "project", "head")


@functools.cache
def trained() -> tf_keras.Model:
    """Returns one inverted residual between two convolutions, trained on the digits."""
    tf_keras.utils.set_random_seed(0)
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1) / 8 - 1
    model = _network(images.shape[1:])
    model.compile(tf_keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    model.fit(images, labels, 32, epochs=20, verbose=0)
    return model


def kernel(name: str) -> np.ndarray:
    """Returns the kernel ``[in, out]`` of a 1x1 convolution of the trained network."""
    return trained().get_layer(name).get_weights()[0][0, 0]


def _network(image_shape: tuple[int, ...]) -> tf_keras.Model:
    image = tf_keras.Input(image_shape, name="image")
    stem = layers.Conv2D(24, 3, padding="same", use_bias=False, name="stem")(image)
    stem = _normalized(stem, "stem")
    wide = _normalized(_pointwise(48, "expand")(stem), "expand")
    depthwise = layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, name="depthwise"
    )
    wide = _normalized(depthwise(wide), "depthwise")
    narrow = _pointwise(24, "project")(wide)
    narrow = layers.BatchNormalization(momentum=0.9, name="project_bn")(narrow)
    joined = layers.Add(name="add")([stem, narrow])
    head = _normalized(_pointwise(64, "head")(joined), "head")
    pooled = layers.GlobalAveragePooling2D(name="pool")(head)
    return tf_keras.Model(
        image, layers.Dense(10, activation="softmax", name="classifier")(pooled)
    )


def _pointwise(filters: int, name: str) -> tf_keras.layers.Layer:
    decay = tf_keras.regularizers.L2(1e-3)
    return layers.Conv2D(
        filters, 1, use_bias=False, kernel_regularizer=decay, name=name
    )


def _normalized(tensor, name: str):
    # a few hundred steps are too short for Keras' momentum of 0.99
    tensor = layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(tensor)
    return layers.ReLU(6.0, name=f"{name}_relu")(tensor)
