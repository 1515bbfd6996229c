"""What every device can do: take files and run programs."""

import abc
import contextlib
import functools
import pathlib
import shlex
import subprocess
import types
from collections.abc import Sequence
from typing import Self


class DeviceError(ValueError):
    """Something failed on a device.

    Attributes:
      lost: whether the device is gone, so that nothing else can run on it.
    """

    def __init__(self, message: str, *, lost: bool = False):
        super().__init__(message)
        self.lost = lost


class Device(abc.ABC):
    """A machine, and a folder of its own there that goes when the device is left.

    Attributes:
      name: as ``--device`` takes it.
      emulated: whether its times tell nothing.
    """

    emulated = False

    def __init__(self, name: str):
        self.name = name

    def __enter__(self) -> Self:
        self.folder = self._make_folder()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        # a device that is gone keeps its temporary files
        with contextlib.suppress(DeviceError):
            self._remove_folder()

    @functools.cached_property
    @abc.abstractmethod
    def processor(self) -> str:
        """As ``uname -m`` tells it there."""

    @abc.abstractmethod
    def push(self, path: pathlib.Path, name: str) -> str:
        """Copies a file or a folder to the device.

        Args:
          path: here.
          name: below the device's folder.

        Returns:
          The path there.

        Raises:
          DeviceError: if that fails.
        """

    @abc.abstractmethod
    def run(self, words: Sequence[str], timeout: float) -> str:
        """Runs a program on the device.

        Args:
          words: the program and its arguments; paths are those of `push`.
          timeout: in seconds.

        Returns:
          What it writes to its standard output.

        Raises:
          DeviceError: if it fails, or takes longer.
        """

    @abc.abstractmethod
    def _make_folder(self) -> str: ...

    @abc.abstractmethod
    def _remove_folder(self) -> None: ...


def call(words: Sequence[str], timeout: float, *, on: str) -> str:
    """Runs a program of this machine and returns its standard output.

    Args:
      words: the program and its arguments.
      timeout: in seconds.
      on: the device that it runs on or talks to, for messages.

    Raises:
      DeviceError: with the last line that it left, or if it is not installed.
    """
    try:
        done = subprocess.run(
            words, capture_output=True, timeout=timeout, text=True, errors="replace"
        )
    except FileNotFoundError as error:
        raise DeviceError(
            f"{words[0]} is not installed, which {on} needs.", lost=True
        ) from error
    except subprocess.TimeoutExpired as error:
        raise DeviceError(
            f"{shlex.join(words)} did not end on {on} within {timeout:g} s. Check the "
            "device, or give it longer with --timeout."
        ) from error
    if done.returncode:
        raise ProgramError(words, done, on)
    return done.stdout


class ProgramError(DeviceError):
    """A program ended with an error.

    Attributes:
      code: its exit code.
      output: all that it wrote.
    """

    def __init__(self, words: Sequence[str], done: subprocess.CompletedProcess, on):
        self.code = done.returncode
        self.output = f"{done.stdout}\n{done.stderr}".strip()
        last = (self.output.splitlines() or ["it left no message"])[-1]
        super().__init__(
            f"{words[0]} failed on {on} with exit code {self.code}: {last}"
        )
