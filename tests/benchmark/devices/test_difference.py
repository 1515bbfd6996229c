"""How far a plan is from this machine, on an emulator that says what it is told."""

import pathlib

import numpy as np
import pytest

from tfmot_onexn.benchmark.devices import difference
from tfmot_onexn.benchmark.devices.device import DeviceError
from tfmot_onexn.benchmark.devices.emulator import Emulator
from tfmot_onexn.tflite import interpreter


class Computing(Emulator):
    """Computes with the file itself, and then changes the output."""

    def __init__(self, file, change):
        super().__init__("qemu-aarch64")
        self._file, self._change = file, change

    def run(self, words, timeout):
        ports = dict(zip(words[1::2], words[2::2], strict=True))
        loaded = interpreter.load_interpreter(self._file, delegate=False)
        shape = loaded.get_input_details()[0]["shape"]
        image = np.fromfile(ports["--input"], np.float32).reshape(shape)
        output = self._change(interpreter.run_once(loaded, image))
        output.tofile(pathlib.Path(ports["--output"]))
        return ""


def found(file, change):
    with Computing(file, change) as emulator:
        return difference.of_plan(["plan"], file, emulator, 10)


def test_the_same_output_is_no_difference(dense_file):
    assert found(dense_file, lambda output: output) == 0


def test_the_largest_difference_is_told(dense_file):
    assert found(dense_file, lambda output: 1.25 * output) == pytest.approx(0.25)


def test_other_outputs_are_an_error(dense_file):
    with pytest.raises(DeviceError, match=r"other outputs than dense\.tflite"):
        found(dense_file, lambda output: output[..., 1:])
