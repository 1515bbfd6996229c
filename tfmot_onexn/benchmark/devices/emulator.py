"""Processors that qemu emulates here: whether a program runs, not how fast."""

import functools
import pathlib
import shutil
import tempfile
from collections.abc import Sequence

from tfmot_onexn.benchmark.devices import device

# the emulator, the processor it plays, and what that calls itself
EMULATORS = {
    "qemu-aarch64": ("qemu-aarch64-static", "cortex-a76", "aarch64"),
    "qemu-armv7": ("qemu-arm-static", "cortex-a15", "armv7l"),
}


class Emulator(device.Device):
    """Runs static programs for another processor."""

    emulated = True

    def __init__(self, name: str):
        super().__init__(name)
        self._program, self._cpu, self._processor = EMULATORS[name]

    @functools.cached_property
    def processor(self) -> str:
        return self._processor

    def push(self, path: pathlib.Path, name: str) -> str:
        there = pathlib.Path(self.folder, name)
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, there, dirs_exist_ok=True)
        else:
            shutil.copy2(path, there)
        return str(there)

    def run(self, words: Sequence[str], timeout: float) -> str:
        if shutil.which(self._program) is None:
            raise device.DeviceError(
                f"{self._program} is not installed, which {self.name} needs: apt-get "
                "install qemu-user-static.",
                lost=True,
            )
        command = [self._program, "-cpu", self._cpu, *words]
        return device.call(command, timeout, on=self.name)

    def _make_folder(self) -> str:
        return tempfile.mkdtemp(prefix="onexn-")

    def _remove_folder(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
