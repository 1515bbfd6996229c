"""One way to load a `.tflite` file, whichever runtime is installed.

Neither this module nor the runtimes it prefers import TensorFlow.
"""

import importlib
import importlib.util
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from tfmot_onexn.tflite import delegate as delegate_lib
from tfmot_onexn.tflite import flatbuffer, validation

# runtime -> (module that has the Interpreter, how to install it)
_MODULES = {
    "litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tf_lite": ("tensorflow.lite.python.interpreter", "tensorflow"),
    "tflite_runtime": ("tflite_runtime.interpreter", 'tflite-runtime "numpy<2"'),
}
RUNTIMES = tuple(_MODULES)

# whether there is one, its options, or the path of another library
Delegate: TypeAlias = bool | Mapping[str, Any] | str | os.PathLike


def available_runtimes() -> list[str]:
    """Returns the TFLite runtimes installed here, the preferred one first."""
    return list(_installed())


def _installed() -> Iterator[str]:
    for name, (module, _) in _MODULES.items():
        if importlib.util.find_spec(module.split(".")[0]) is not None:
            yield name


def resolve_runtime(runtime: str = "tflite") -> str:
    """Returns the runtime that a name stands for; "tflite" is the first installed.

    Raises:
      ValueError: if it is unknown or not installed.
    """
    if runtime == "tflite":
        # looking no further than the first keeps TensorFlow out of it
        first = next(_installed(), None)
        if first is None:
            raise ValueError("No TFLite runtime: pip install ai-edge-litert.")
        return first
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


def split_runtime(spelled: str) -> tuple[str, bool]:
    """Splits "litert+delegate" into a runtime and whether the delegate is used.

    Raises:
      ValueError: if the runtime is unknown or not installed, or something else is
        added to it.
    """
    name, plus, added = spelled.partition("+")
    if plus and added != "delegate":
        raise ValueError(
            f"Unknown addition {added!r} to the runtime {name!r}: there is "
            f"{name}+delegate."
        )
    return resolve_runtime(name), bool(plus)


def load_interpreter(
    path: str | os.PathLike,
    *,
    runtime: str = "tflite",
    delegate: Delegate = True,
    num_threads: int = 1,
    preserve_all_tensors: bool = False,
) -> Any:
    """Loads a `.tflite` file into a runtime's own ``Interpreter``, ready to invoke.

    The file is checked first, since runtimes crash on a malformed sparse tensor. The
    delegate takes the 1xN layers where it is faster, the runtime all else.

    Args:
      path: the file.
      runtime: "litert", "tf_lite", "tflite_runtime" or "tflite", the first installed.
      delegate: True for the delegate that came with this package; where it cannot be
        loaded, a warning says why and the runtime goes without. A dictionary gives it
        options, a path names another library. False is the stock runtime.
      num_threads: of the interpreter and the delegate.
      preserve_all_tensors: keep intermediate tensors readable after a run.

    Returns:
      The runtime's interpreter, its tensors allocated. It keeps the delegate.

    Raises:
      ValueError: if the file is damaged, the runtime missing, or the delegate asked for
        by options or path cannot be loaded.
      RuntimeError: if the runtime or the delegate refuses the file.
    """
    validation.validated(flatbuffer.read_bytes(path), str(path))
    module = module_of(runtime)
    try:
        used = _delegate(module, delegate)
    except ValueError as error:
        if delegate is not True:
            raise
        used = None
        warnings.warn(
            f"{path} runs without the delegate. {str(error).rstrip('.')}. Pass "
            "delegate=False where that is meant.",
            stacklevel=2,
        )
    loaded = module.Interpreter(
        model_path=os.fspath(path),
        num_threads=num_threads,
        experimental_preserve_all_tensors=preserve_all_tensors,
        experimental_delegates=None if used is None else [used],
    )
    loaded.allocate_tensors()
    return loaded


def module_of(runtime: str = "tflite") -> Any:
    """Returns the module of a runtime, with its ``Interpreter``; see `resolve_runtime`.

    Raises:
      ValueError: if it is unknown or not installed.
    """
    return importlib.import_module(_MODULES[resolve_runtime(runtime)][0])


def _delegate(module: Any, wanted: Delegate) -> Any:
    """Returns the delegate that `load_interpreter` is asked for, None without."""
    if wanted is False:
        return None
    if wanted is True or isinstance(wanted, Mapping):
        options = {} if wanted is True else wanted
        return delegate_lib.load(module.load_delegate, options=options)
    return delegate_lib.load(module.load_delegate, wanted)


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
