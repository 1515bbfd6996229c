"""Networks that XNNPACK's sparse inference takes, and that it does not."""

import tf_keras
from tf_keras import layers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.sparsity import masks


def stem(x, padded=True):
    if not padded:
        return layers.Conv2D(16, 3, 2, "same", activation="relu", name="stem")(x)
    x = layers.ZeroPadding2D(1)(x)
    return layers.Conv2D(16, 3, 2, activation="relu", name="stem")(x)


def pool(x):
    return layers.GlobalAveragePooling2D(name="pool")(x)


def body(middle=None, *, padded=True, head=pool, size=32, channels=3):
    """A stem, an inverted residual with something in its middle, and a head."""
    image = layers.Input((size, size, channels))
    x = stem(image, padded)
    x = layers.Conv2D(64, 1, activation="relu6", name="expand")(x)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu6")(x)
    x = layers.Conv2D(16, 1, name="project")(x)
    if middle is not None:
        x = middle(x)
    x = layers.Conv2D(64, 1, activation="relu", name="last")(x)
    return tf_keras.Model(image, head(x))


def pruned(model, sparsity=0.8, n=4):
    """Sets 1xN blocks of the 1x1 kernels to zero."""
    randomize(model)
    for layer in model.layers:
        pointwise = getattr(layer, "kernel_size", None) == (1, 1)
        if pointwise and not hasattr(layer, "depthwise_kernel"):
            weights = layer.get_weights()
            weights[0] *= masks.Pattern("block", n).mask(weights[0], sparsity)
            layer.set_weights(weights)
    return model
