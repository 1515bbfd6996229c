"""One way to load a `.tflite` file, whichever runtime is installed.

Neither this module nor the runtimes it prefers import TensorFlow.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from tfmot_onexn.tflite import flatbuffer, validation

# runtime -> (module that has the Interpreter, how to install it)
_MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tf_lite": ("tensorflow.lite.python.interpreter", "tensorflow"),
    "tflite_runtime": ("tflite_runtime.interpreter", 'tflite-runtime "numpy<2"'),
}
RUNTIMES = tuple(_MODULES)


def available_runtimes() -> list[str]:
    """Returns the TFLite runtimes installed here, the preferred one first."""
    return [
        name
        for name, (module, _) in _MODULES.items()
        if importlib.util.find_spec(module.split(".")[0]) is not None
    ]


def resolve_runtime(runtime: str = "tflite") -> str:
    """Returns the runtime that a name stands for; "tflite" is the first installed.

    Raises:
      ValueError: if it is unknown or not installed.
    """
    if runtime == "tflite":
        installed = available_runtimes()
        if not installed:
            raise ValueError("No TFLite runtime: pip install ai-edge-litert.")
        return installed[0]
    if runtime not in _MODULES:
        raise ValueError(
            f"Unknown runtime {runtime!r}; choose tflite or one of {list(RUNTIMES)}."
        )
    if runtime not in available_runtimes():
        package = _MODULES[runtime][1]
        raise ValueError(
            f"The runtime {runtime} is not installed: pip install {package}."
        )
    return runtime


def load_interpreter(
    path: str | os.PathLike,
    *,
    runtime: str = "tflite",
    num_threads: int = 1,
    preserve_all_tensors: bool = False,
) -> Any:
    """Loads a `.tflite` file into a runtime's own ``Interpreter``, ready to invoke.

    The file is checked first, since runtimes crash on a malformed sparse tensor.

    Args:
      path: the file.
      runtime: "litert", "tf_lite", "tflite_runtime" or "tflite", the first installed.
      num_threads: of the interpreter.
      preserve_all_tensors: keep intermediate tensors readable after a run.

    Returns:
      The runtime's interpreter, its tensors allocated.

    Raises:
      ValueError: if the file is damaged or the runtime missing.
    """
    validation.validated(flatbuffer.read_bytes(path), str(path))
    interpreter: Callable[..., Any] = importlib.import_module(
        _MODULES[resolve_runtime(runtime)][0]
    ).Interpreter
    loaded = interpreter(
        model_path=os.fspath(path),
        num_threads=num_threads,
        experimental_preserve_all_tensors=preserve_all_tensors,
    )
    loaded.allocate_tensors()
    return loaded


def run(interpreter: Any, images: np.ndarray) -> np.ndarray:
    """Runs a loaded model of one input on images, one at a time.

    Args:
      interpreter: from `load_interpreter`.
      images: float32 ``[count, ...]`` in the input's shape after the batch axis.

    Returns:
      The first output for each image ``[count, ...]``.
    """
    return np.concatenate([run_once(interpreter, image[None]) for image in images])


def run_once(interpreter: Any, image: np.ndarray) -> np.ndarray:
    """Runs a loaded model on one image ``[1, ...]``; returns its first output."""
    target = interpreter.get_input_details()[0]["index"]
    source = interpreter.get_output_details()[0]["index"]
    interpreter.set_tensor(target, np.ascontiguousarray(image, np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(source)
