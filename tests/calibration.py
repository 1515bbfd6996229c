"""Networks to calibrate, and how far they are from the dense ones."""

import numpy as np
import tf_keras
from tf_keras import layers

from tfmot_onexn.networks.random_weights import randomize


def normalized(x, layer):
    return layers.BatchNormalization(momentum=0.9, name=f"{layer.name}_norm")(layer(x))


def separable():
    """Depthwise and 1x1 convolutions in turn, as in MobileNet."""
    x = image = layers.Input((8, 8, 3))
    stem = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem")
    x = layers.ReLU(6.0)(normalized(x, stem))
    for index, width in enumerate((16, 16, 24)):
        stride = 2 if index == 1 else 1
        depthwise = layers.DepthwiseConv2D(
            3, stride, "same", use_bias=False, name=f"depthwise_{index}"
        )
        x = layers.ReLU(6.0)(normalized(x, depthwise))
        point = layers.Conv2D(width, 1, use_bias=False, name=f"point_{index}")
        x = layers.ReLU(6.0)(normalized(x, point))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(4, name="classifier")(x)
    return tf_keras.Model(image, x, name="separable")


def inverted(squeeze=False):
    """Two inverted residuals, as in MobileNetV2, or with what V3 adds."""
    x = image = layers.Input((8, 8, 3))
    x = normalized(x, layers.Conv2D(8, 3, padding="same", name="stem"))
    for index in range(2):
        block_input = x
        x = normalized(x, layers.Conv2D(24, 1, use_bias=False, name=f"expand_{index}"))
        x = _hard_swish(x) if squeeze else layers.ReLU(6.0)(x)
        if squeeze:
            x = layers.ZeroPadding2D(2)(x)
        depthwise = layers.DepthwiseConv2D(
            5 if squeeze else 3,
            padding="valid" if squeeze else "same",
            use_bias=False,
            name=f"depthwise_{index}",
        )
        x = layers.ReLU(6.0)(normalized(x, depthwise))
        if squeeze:
            gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
            gate = layers.Conv2D(8, 1, activation="relu", name=f"squeeze_{index}")(gate)
            gate = layers.Conv2D(24, 1, name=f"excite_{index}")(gate)
            x = layers.Multiply()([x, layers.Activation("sigmoid")(gate)])
        x = normalized(x, layers.Conv2D(8, 1, use_bias=False, name=f"project_{index}"))
        x = layers.Add(name=f"add_{index}")([block_input, x])
    x = layers.GlobalAveragePooling2D()(x)
    return tf_keras.Model(image, layers.Dense(4, name="classifier")(x), name="inverted")


def squeezed():
    """Inverted residuals with gates and hard swish, as in MobileNetV3."""
    return inverted(squeeze=True)


def _hard_swish(x):
    return layers.Multiply()([x, layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)])


def random(make):
    """Returns a network of random weights."""
    return randomize(make())


def photographs(count=48, size=8, seed=0):
    """Returns images of pixels like their neighbours ``[count, size, size, 3]``."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, size // 2, size // 2, 3))
    fine = rng.normal(size=(count, size, size, 3))
    pixels = coarse.repeat(2, axis=1).repeat(2, axis=2) + 0.5 * fine
    return pixels.astype(np.float32)


def distance(model, dense, x, last=None):
    """Returns the mean square difference of two networks over the variance.

    Args:
      model: compared with ``dense``.
      dense: of the same layers.
      x: images.
      last: the layer to compare at, by default the last one.
    """
    outputs = [
        tf_keras.Model(m.input, m.get_layer(last).output if last else m.output)(x)
        for m in (model, dense)
    ]
    actual, expected = (np.asarray(output, np.float64) for output in outputs)
    return float(((actual - expected) ** 2).mean() / expected.var())
