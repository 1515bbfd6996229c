"""How far what a plan computes on an emulated processor is from this machine's."""

import pathlib
from collections.abc import Sequence

import numpy as np

from tfmot_onexn.benchmark.devices.device import DeviceError
from tfmot_onexn.benchmark.devices.emulator import Emulator
from tfmot_onexn.tflite import interpreter

# of one processor to another, after a hundred layers
TOLERANCE = 1e-4


def of_plan(
    words: Sequence[str], file: pathlib.Path, emulator: Emulator, timeout: float
) -> float:
    """Runs a plan on random numbers and compares it with the file it was built from.

    Args:
      words: what runs the plan once; see ``runner/benchmark.c``.
      file: the `.tflite`, which runs here, in stock TFLite.
      emulator: entered.
      timeout: in seconds.

    Returns:
      The largest difference of the outputs, over the largest output.

    Raises:
      DeviceError: if the plan fails, or its outputs are others.
    """
    inputs, expected = _stock(file)
    folder = pathlib.Path(emulator.folder)
    command = list(words)
    for index, array in enumerate(inputs):
        array.tofile(folder / f"input_{index}")
        command += ["--input", str(folder / f"input_{index}")]
    places = [folder / f"output_{index}" for index in range(len(expected))]
    for place in places:
        command += ["--output", str(place)]
    emulator.run(command, timeout)
    found = [np.fromfile(p, e.dtype) for p, e in zip(places, expected, strict=True)]
    if [array.size for array in found] != [array.size for array in expected]:
        raise DeviceError(f"It has other outputs than {file.name}.")
    differences = [
        np.abs(one - other.ravel()).max() / max(np.abs(other).max(), 1e-30)
        for one, other in zip(found, expected, strict=True)
    ]
    # of Python's max, one that is no number could get lost
    return float(np.max(differences))


def _stock(file: pathlib.Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns random inputs and what stock TFLite makes of them."""
    loaded = interpreter.load_interpreter(file, delegate=False)
    rng = np.random.default_rng(0)
    inputs = []
    for details in loaded.get_input_details():
        array = rng.normal(size=details["shape"]).astype(details["dtype"])
        loaded.set_tensor(details["index"], array)
        inputs.append(array)
    loaded.invoke()
    outputs = loaded.get_output_details()
    return inputs, [loaded.get_tensor(details["index"]) for details in outputs]
