"""Networks by name, models from files."""

import json
import os
import pathlib
import zipfile

import h5py
import tf_keras

from tfmot_onexn.networks import arrays, keras3, random_weights

NETWORKS = {
    "mobilenet": tf_keras.applications.MobileNet,
    "mobilenet_v2": tf_keras.applications.MobileNetV2,
    "mobilenet_v3_small": tf_keras.applications.MobileNetV3Small,
    "mobilenet_v3_large": tf_keras.applications.MobileNetV3Large,
    "resnet50": tf_keras.applications.ResNet50,
}
_WITHOUT_ALPHA = ("resnet50",)


def build(
    name: str,
    weights: str = "random",
    *,
    input_shape: tuple[int, int, int] = (224, 224, 3),
    alpha: float = 1.0,
    classes: int = 1000,
    seed: int = 0,
) -> tf_keras.Model:
    """Builds a network by name.

    Args:
      name: one of `NETWORKS`.
      weights: "random" (see `random_weights.randomize`), "imagenet" (downloaded by
        Keras) or a file: `.h5`, `.keras`, `.weights.h5` or an `.npz` that `arrays`
        reads.
      input_shape: height, width and channels of an image.
      alpha: width multiplier, 1.0 for "resnet50".
      classes: number of outputs.
      seed: of random weights.

    Raises:
      ValueError: if the name or the file is unknown or does not fit the network.
    """
    if name not in NETWORKS:
        raise ValueError(
            f"Unknown network {name!r}; choose one of {sorted(NETWORKS)} or give the "
            "path of a model file."
        )
    if name in _WITHOUT_ALPHA and alpha != 1.0:
        raise ValueError(f"{name} comes in one width: leave out alpha={alpha}.")
    width = {} if name in _WITHOUT_ALPHA else {"alpha": alpha}
    model = NETWORKS[name](
        input_shape=input_shape,
        classes=classes,
        weights="imagenet" if weights == "imagenet" else None,
        **width,
    )
    model._name = name
    if weights == "random":
        random_weights.randomize(model, seed)
    elif weights != "imagenet":
        _load_weights(model, weights)
    return model


def load(path: str | os.PathLike) -> tf_keras.Model:
    """Loads a model file: `.keras` of either Keras, `.h5`, or a SavedModel folder.

    Raises:
      ValueError: if it is missing, damaged, or no Keras model.
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise ValueError(
            f"No model at {path}. Give the path of a .keras, .h5 or SavedModel, or one "
            f"of the networks {sorted(NETWORKS)}."
        )
    if not _is_known(path):
        raise ValueError(
            f"{path} is neither a .keras, a .h5 nor a SavedModel. Save the Keras model "
            "as one of them: model.save('model.keras')."
        )
    try:
        if _is_keras3_file(path):
            import keras

            return keras3.from_keras3(keras.models.load_model(path, compile=False))
        model = tf_keras.models.load_model(path, compile=False)
    # a damaged file makes Keras, h5py and TensorFlow raise almost anything
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"Cannot load {path} as a Keras model: {reason}. If it has layers of your "
            "own, register them with tf_keras and load it in Python."
        ) from error
    if not isinstance(model, tf_keras.Model):
        raise ValueError(
            f"{path} is a SavedModel for inference only, without Keras layers. Save "
            "the model with model.save(path) instead of model.export(path)."
        )
    return model


def set_batch_norm_momentum(model: tf_keras.Model, momentum: float) -> None:
    """Sets how slowly running statistics follow.

    Keras' MobileNets use 0.999; trained for a few hundred steps from random weights
    their statistics have then hardly moved and the test accuracy stays at chance.
    """
    for layer in model._flatten_layers():
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            layer.momentum = momentum


def _is_known(path: pathlib.Path) -> bool:
    """Whether a path is of a kind that Keras loads, by its name or its content."""
    if path.is_dir():
        return (path / "saved_model.pb").exists()
    return path.suffix in (".keras", ".h5", ".hdf5") or h5py.is_hdf5(path)


def _is_keras3_file(path: pathlib.Path) -> bool:
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("metadata.json"))
    return int(metadata["keras_version"].split(".")[0]) >= 3


def _load_weights(model: tf_keras.Model, path: str) -> None:
    if not os.path.exists(path):
        raise ValueError(
            f"No weights at {path}. Use random, imagenet, or the path of a file."
        )
    try:
        if path.endswith(".npz"):
            arrays.load_weights(model, path)
        elif (path.endswith(".h5") and _is_whole_model(path)) or path.endswith(
            ".keras"
        ):
            model.set_weights(load(path).get_weights())
        else:
            model.load_weights(path)
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"The weights in {path} do not fit {model.name}: {reason}"
        ) from error


def _is_whole_model(path: str) -> bool:
    with h5py.File(path, "r") as file:
        return "model_config" in file.attrs
