"""Android devices, through adb."""

import functools
import pathlib
import shlex
import uuid
from collections.abc import Sequence

from tfmot_onexn.benchmark.devices import device

_ROOT = "/data/local/tmp"
_COMMAND_SECONDS, _COPY_SECONDS = 30, 600
# what adb says of a device that is not there (any more), or not to be used
_LOST = ("not found", "no devices", "offline", "unauthorized", "closed", "connect")


class Adb(device.Device):
    """A device that ``adb devices`` lists."""

    def __init__(self, name: str, program: str = "adb"):
        """Names the device.

        Args:
          name: ``adb`` for the only one, or ``adb:SERIAL``.
          program: what is called.
        """
        super().__init__(name)
        serial = name.partition(":")[2]
        self._adb = [program, *(["-s", serial] if serial else [])]

    @functools.cached_property
    def processor(self) -> str:
        return self.run(["uname", "-m"], _COMMAND_SECONDS).strip()

    def push(self, path: pathlib.Path, name: str) -> str:
        there = f"{self.folder}/{name}"
        self.run(["mkdir", "-p", there.rpartition("/")[0]], _COMMAND_SECONDS)
        self._call(["push", str(path), there], _COPY_SECONDS)
        return there

    def run(self, words: Sequence[str], timeout: float) -> str:
        return self._call(["shell", shlex.join(words)], timeout)

    def _call(self, words: Sequence[str], timeout: float) -> str:
        try:
            return device.call([*self._adb, *words], timeout, on=self.name)
        except device.ProgramError as error:
            last = error.output.splitlines()[-1:] or [""]
            said = last[0].startswith(("error:", "adb:"))
            if not (said and any(word in last[0] for word in _LOST)):
                raise
            raise device.DeviceError(
                f"{self.name} cannot be reached ({last[0]}). Check that `adb devices` "
                "lists it as “device”; one that is “unauthorized” asks for leave on "
                "its screen.",
                lost=True,
            ) from error

    def _make_folder(self) -> str:
        folder = f"{_ROOT}/onexn-{uuid.uuid4().hex[:12]}"
        self.run(["mkdir", folder], _COMMAND_SECONDS)
        return folder

    def _remove_folder(self) -> None:
        self.run(["rm", "-rf", self.folder], _COMMAND_SECONDS)
