"""Random weights on which a wrong network shows.

In a fresh Keras network, statistics of 0 and 1 in the BatchNormalization layers let
the signal fade until the outputs hardly depend on the image or on any one weight, and
a check of agreement passes whatever is compared. Here every channel matters.
"""

from typing import Any

import numpy as np
import tf_keras


def randomize(
    model: tf_keras.Model, seed: int = 0, *, batch_size: int = 8
) -> tf_keras.Model:
    """Sets every weight of a model at random, in place.

    Kernels are normal with variance 2 / fan-in, biases normal around 0, betas and
    gammas around 1, where most values pass a ReLU and rounding errors do not grow from
    layer to layer. The BatchNormalization statistics are then those of a batch of
    random images, moved a little at random, so that no layer's signal fades.

    Args:
      model: a built model with static input shapes but for the batch axis.
      seed: of the weights and the images.
      batch_size: number of images.

    Returns:
      The model.
    """
    rng = np.random.default_rng(seed)
    images = random_images(model, batch_size, seed)
    norms = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, tf_keras.layers.BatchNormalization)
    ]
    for layer in model._flatten_layers(include_self=False):
        for variable in layer._trainable_weights + layer._non_trainable_weights:
            variable.assign(_random_value(rng, variable))
    _adopt_statistics(model, norms, images)
    for layer in norms:
        deviation = np.sqrt(layer.moving_variance.numpy())
        shift = rng.uniform(-0.2, 0.2, deviation.shape) * deviation
        layer.moving_mean.assign_add(shift)
        layer.moving_variance.assign(
            (deviation * rng.uniform(0.8, 1.25, deviation.shape)) ** 2
        )
    return model


def random_images(model: tf_keras.Model, count: int, seed: int = 0) -> Any:
    """Returns images that a model's first kernels see with mean 0 and variance 1.

    Where a model begins with a Rescaling layer, as Keras' MobileNetV3 and EfficientNet
    do, the images have the range that it expects.

    Args:
      model: with static input shapes but for the batch axis.
      count: number of images.
      seed: of the images.

    Returns:
      ``[count, ...]`` in the dtype of the input, a list if there are several inputs.
    """
    rng = np.random.default_rng([seed, 1])
    found = []
    for tensor in model.inputs:
        values = rng.normal(size=(count, *tensor.shape[1:]))
        for layer in model.layers:
            rescales = isinstance(layer, tf_keras.layers.Rescaling)
            if rescales and layer.input is tensor:
                values = (values - np.asarray(layer.offset)) / np.asarray(layer.scale)
        found.append(values.astype(tensor.dtype.name))
    return found[0] if len(found) == 1 else found


def _random_value(rng: np.random.Generator, variable) -> np.ndarray:
    shape = tuple(variable.shape)
    if len(shape) >= 2:
        depthwise = "depthwise_kernel" in variable.name
        fan_in = np.prod(shape[:-2] if depthwise else shape[:-1])
        return rng.normal(0, np.sqrt(2 / fan_in), shape)
    if "gamma" in variable.name:
        return rng.uniform(0.5, 1.5, shape)
    if "moving_variance" in variable.name:
        return np.ones(shape)
    return rng.normal("beta" in variable.name, 0.3, shape)


def _adopt_statistics(model, norms, images) -> None:
    """Gives each BatchNormalization layer the statistics of its input."""
    momenta = [layer.momentum for layer in norms]
    try:
        for layer in norms:
            layer.momentum = 0.0
        model(images, training=True)
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum
    for layer in norms:
        # a channel that few pixels leave almost constant would be blown up
        variance = layer.moving_variance.numpy()
        layer.moving_variance.assign(np.maximum(variance, 0.1 * variance.mean()))
