"""Machines that run TVM's RPC server, for libraries of its virtual machine."""

import functools
import pathlib
import sys
from collections.abc import Sequence

from tfmot_onexn.benchmark.devices import device, rpc_turn


class Rpc(device.Device):
    """A machine with ``python -m tvm.exec.rpc_server``.

    Its programs run here, in processes of their own that talk to it, since a server
    that dies leaves its clients waiting.
    """

    def __init__(self, name: str):
        """Names the machine.

        Args:
          name: ``rpc:HOST:PORT``.
        """
        super().__init__(name)
        _, self.host, self.port = name.split(":")

    @functools.cached_property
    def processor(self) -> str:
        return "not known"

    def push(self, path: pathlib.Path, name: str) -> str:
        return str(path)

    def run(self, words: Sequence[str], timeout: float) -> str:
        try:
            return device.call([sys.executable, *words], timeout, on=self.name)
        except device.ProgramError as error:
            if error.code != rpc_turn.UNREACHABLE:
                raise device.DeviceError(error.output.splitlines()[-1]) from error
            raise device.DeviceError(
                f"{self.name} cannot be reached ({error.output.splitlines()[-1]}). "
                f"Start `python -m tvm.exec.rpc_server --host 0.0.0.0 --port "
                f"{self.port}` there.",
                lost=True,
            ) from error

    def _make_folder(self) -> str:
        return ""

    def _remove_folder(self) -> None:
        pass
