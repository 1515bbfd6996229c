"""Machines that take commands over ssh, such as a Raspberry Pi."""

import functools
import pathlib
import shlex
from collections.abc import Sequence

from tfmot_onexn.benchmark.devices import device

# of the connection, and of copying a file
_CONNECT_SECONDS, _COPY_SECONDS = 15, 600
# what ssh itself ends with where the connection fails
_CONNECTION_FAILED = 255


class Ssh(device.Device):
    """A host as ssh knows it: ``HOST``, ``USER@HOST`` or a name of its settings.

    One connection is opened and shared, so that a password or a passphrase is asked for
    once at most.
    """

    def __init__(self, name: str, options: Sequence[str] = ()):
        """Names the host.

        Args:
          name: ``ssh:HOST``.
          options: further ones for ssh and scp.
        """
        super().__init__(name)
        self._host = name.partition(":")[2]
        self._options = [
            *("-o", f"ConnectTimeout={_CONNECT_SECONDS}"),
            *("-o", "ServerAliveInterval=15"),
            *options,
        ]

    @functools.cached_property
    def processor(self) -> str:
        return self.run(["uname", "-m"], _CONNECT_SECONDS).strip()

    def push(self, path: pathlib.Path, name: str) -> str:
        there = f"{self.folder}/{name}"
        self.run(["mkdir", "-p", there.rpartition("/")[0]], _CONNECT_SECONDS)
        target = f"{self._host}:{there}"
        self._call(
            ["scp", "-q", "-r", *self._options, str(path), target], _COPY_SECONDS
        )
        return there

    def run(self, words: Sequence[str], timeout: float) -> str:
        # ssh gives its words to a shell
        command = ["ssh", *self._options, self._host, shlex.join(words)]
        return self._call(command, timeout)

    def _call(self, command: Sequence[str], timeout: float) -> str:
        try:
            return device.call(command, timeout, on=self.name)
        except device.ProgramError as error:
            if error.code != _CONNECTION_FAILED:
                raise
            raise device.DeviceError(
                f"{self.name} cannot be reached: {error.output}. Check that "
                f"`ssh {self._host} true` works.",
                lost=True,
            ) from error

    def _make_folder(self) -> str:
        return self.run(["mktemp", "-d"], _CONNECT_SECONDS).strip()

    def _remove_folder(self) -> None:
        self.run(["rm", "-rf", self.folder], _CONNECT_SECONDS)
