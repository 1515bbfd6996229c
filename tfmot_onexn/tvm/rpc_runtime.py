"""Runs TVM builds in the Relax virtual machine of another machine, over TVM's RPC."""

import os
import pathlib
import socket
from typing import Any

import numpy as np

from tfmot_onexn.tvm import extra, trailer

_MAIN = "main"
_CONNECT_SECONDS = 15
# threads on all cores alike, as TVM numbers its ways to place them
_ANY_CORES = 0


class Session:
    """A connection to ``python -m tvm.exec.rpc_server``.

    Raises:
      ValueError: if TVM is missing here.
      OSError: if nobody answers.
    """

    def __init__(self, host: str, port: int, timeout: float):
        """Connects.

        Args:
          host: name or address.
          port: of the server.
          timeout: of one call, in seconds.
        """
        extra.require()
        from tvm import rpc

        # TVM itself would go on trying for minutes
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
        try:
            self._session = rpc.connect(host, port, session_timeout=round(timeout))
        except RuntimeError as error:
            raise OSError(str(error).splitlines()[-1]) from error

    def load(self, path: str | os.PathLike, threads: int) -> "RemoteMachine":
        """Copies a build to the machine and loads it there.

        Args:
          path: of the library.
          threads: of TVM there.

        Raises:
          ValueError: if the file is no build, or damaged.
          OSError: if the machine is gone.
          RuntimeError: if it cannot load the build.
        """
        description = trailer.read(path)
        path = pathlib.Path(path)
        # given a path, TVM would leave the file open
        self._session.upload(bytearray(path.read_bytes()), path.name)
        configure = self._session.get_function("runtime.config_threadpool")
        configure(_ANY_CORES, threads)
        return RemoteMachine(self._session, path.name, description)


class RemoteMachine:
    """A network that is ready to run elsewhere, on random numbers."""

    def __init__(self, session: Any, name: str, description: dict[str, Any]):
        import tvm
        from tvm import relax

        self._device = session.cpu(0)
        self._machine = relax.VirtualMachine(session.load_module(name), self._device)
        rng = np.random.default_rng(0)
        self._arguments = [
            tvm.runtime.tensor(
                rng.normal(size=each["shape"]).astype(each["dtype"]), self._device
            )
            for each in description["inputs"]
        ]

    def milliseconds(self, runs: int, warmup: int) -> list[float]:
        """Runs the network and returns how long each run took, measured there."""
        evaluate = self._machine.time_evaluator(
            _MAIN, self._device, number=1, repeat=warmup + runs
        )
        found = evaluate(*self._arguments).results
        return [1e3 * seconds for seconds in found[warmup:]]
