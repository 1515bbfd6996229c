"""What a build starts from: a `.tflite`, or a Keras model that becomes one."""

import dataclasses
import importlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

from tfmot_onexn.tflite import flatbuffer

# what is called before each step of long work, with its name
Progress = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Source:
    """A network to build.

    Attributes:
      path: of a `.tflite` file.
      name: of the network.
    """

    path: pathlib.Path
    name: str


def prepare(
    model_or_path: Any,
    folder: str | os.PathLike,
    *,
    float16: bool = False,
    progress: Progress = lambda step: None,
) -> Source:
    """Returns a network as a `.tflite`.

    Args:
      model_or_path: a Keras model, or the path of a `.tflite`, which is taken as it is,
        of a `.keras`, a `.h5` or a SavedModel.
      folder: for what a model is converted to.
      float16: converts a model to weights in half precision.
      progress: called with the name of each step before it begins.

    Raises:
      ValueError: if there is no model, it cannot be loaded or converted, or ``float16``
        is asked of a `.tflite`.
    """
    model = model_or_path
    if isinstance(model, str | os.PathLike):
        if flatbuffer.is_tflite(model):
            return _as_it_is(pathlib.Path(model), float16)
        progress("Loading the model")
        model = _load(model)
    progress("Converting")
    # takes seconds to import
    from tfmot_onexn.tflite.convert import convert_to_tflite

    path = pathlib.Path(folder, "model.tflite")
    convert_to_tflite(model, path, float16=float16)
    return Source(path, model.name)


def _as_it_is(path: pathlib.Path, float16: bool) -> Source:
    if float16:
        raise ValueError(
            f"{path} is converted already; half precision is for Keras models. Convert "
            "the model that it was made from with `onexn convert --float16`."
        )
    return Source(path, path.stem)


def _load(path: str | os.PathLike) -> Any:
    if not os.path.exists(path):
        raise ValueError(
            f"No model at {path}. Give a Keras model, or the path of a .tflite, "
            ".keras, .h5 or SavedModel."
        )
    from tfmot_onexn.networks import models

    # lets Keras know the wrappers that a file may have
    importlib.import_module("tfmot_onexn.pruning.prune")

    return models.load(path)
