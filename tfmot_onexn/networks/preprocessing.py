"""What a network expects pixels to be turned into: Keras' own rules, by name.

``tf`` is [-1, 1]; ``none`` leaves 0 to 255 to a network that scales them itself;
``caffe`` is blue first, less the mean of ImageNet; ``torch`` is less the mean, over the
deviation.
"""

import numpy as np
import tf_keras

NAMES = ("tf", "none", "caffe", "torch")

# networks of tf_keras.applications that want neither [-1, 1] nor scale by themselves
_BY_NETWORK = {
    **dict.fromkeys(("resnet50", "resnet101", "resnet152", "vgg16", "vgg19"), "caffe"),
    **dict.fromkeys(("densenet121", "densenet169", "densenet201"), "torch"),
}


def preprocessing_for(model: tf_keras.Model) -> str:
    """Tells which preprocessing a model expects.

    "none" if it scales pixels itself before its first weights, as Keras' MobileNetV3
    and EfficientNet do; else what its name stands for in ``tf_keras.applications``;
    else "tf".
    """
    scaling = (tf_keras.layers.Rescaling, tf_keras.layers.Normalization)
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, scaling):
            return "none"
        if layer.weights and not isinstance(layer, tf_keras.Model):
            break
    return _BY_NETWORK.get(model.name, "tf")


def require_known(name: str) -> str:
    """Returns the name of a preprocessing; raises ValueError if there is none."""
    if name not in NAMES:
        raise ValueError(
            f"Unknown preprocessing {name!r}; choose one of {', '.join(NAMES)}."
        )
    return name


def preprocess(name: str, pixels: np.ndarray) -> np.ndarray:
    """Turns pixels into a network's input.

    Args:
      name: one of `NAMES`.
      pixels: from 0 to 255, red first, ``[count, height, width, 3]``.

    Returns:
      float32 of the same shape.

    Raises:
      ValueError: if the name is unknown.
    """
    inputs = np.array(pixels, np.float32)
    if require_known(name) == "none":
        return inputs
    return tf_keras.applications.imagenet_utils.preprocess_input(
        inputs, data_format="channels_last", mode=name
    )
