"""Compiles kernels and times them, on this machine or on one that is connected by RPC.

Arrays are random. A kernel is timed twice: with all of them in a cache, where they stay
from run to run, and after weights and output were thrown out of it. A network is
between the two: it finds what the layer before has written, and weights come from
farther away.
"""

import contextlib
import itertools
import os
import pathlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tvm
from tvm import rpc
from tvm.error import RPCError
from tvm.tirx import PrimFunc

from tfmot_onexn.targets import Target
from tfmot_onexn.tvm import linking

# of a sample in the cache
_LEAST_SECONDS = 0.5e-3
_COLD_RUNS = 3
# of TVM: throws what a function gets, but the first, out of the caches
_FLUSH = "cache_flush_cpu_non_first_arg"
_CONFIGURE_THREADS = "runtime.config_threadpool"


class Loaded:
    """Compiled kernels with the same parameters, and arrays for these."""

    def __init__(self, module: Any, device: Any, arrays: Sequence[np.ndarray]) -> None:
        self._module = module
        self._device = device
        self._tensors = [tvm.runtime.tensor(array, device=device) for array in arrays]

    def run(self, name: str) -> np.ndarray:
        """Returns what a kernel writes to its last parameter."""
        output = self._tensors[-1]
        output.copyfrom(np.full(output.shape, np.nan, np.float32))
        self._module[name](*self._tensors)
        return output.numpy()

    def seconds(self, name: str) -> tuple[float, float]:
        """Times a kernel with its arrays in a cache, and with its input alone there."""
        once = self._evaluate(name, 1)
        times = int(_LEAST_SECONDS / max(once, 1e-7))
        warm = self._evaluate(name, times) if times > 1 else once
        return warm, self._evaluate(name, 1, repeat=_COLD_RUNS, f_preproc=_FLUSH)

    def _evaluate(self, name: str, times: int, **options: Any) -> float:
        evaluate = self._module.time_evaluator(
            name, self._device, number=times, **options
        )
        return float(evaluate(*self._tensors).median)


class Local:
    """This machine."""

    def __init__(self, target: tvm.target.Target) -> None:
        # kernels are timed on one thread, whoever else works here
        os.environ.setdefault("TVM_NUM_THREADS", "1")
        os.environ.setdefault("TVM_BIND_THREADS", "0")
        self._target = target

    @contextlib.contextmanager
    def load(
        self, functions: Mapping[str, PrimFunc], arrays: Sequence[np.ndarray]
    ) -> Iterator[Loaded]:
        """Compiles kernels for as long as the context lasts.

        Args:
          functions: by name; all with the same parameters.
          arrays: for the parameters.
        """
        compiled = tvm.compile(tvm.IRModule(dict(functions)), self._target)
        yield Loaded(compiled.jit(), tvm.cpu(), arrays)


class Remote:
    """A machine on which ``python -m tvm.exec.rpc_server`` runs.

    With ``TVM_NUM_THREADS=1`` there, kernels are timed as here, else a few µs more.
    """

    def __init__(
        self, target: tvm.target.Target, machine: Target, host: str, port: int
    ) -> None:
        """Connects.

        Raises:
          ValueError: if there is no such server.
        """
        self._target = target
        self._machine = machine
        self._address = f"{host}:{port}"
        self._numbers = itertools.count()
        try:
            self._session = rpc.connect(host, port)
        except RuntimeError as error:
            raise ValueError(
                f"No RPC server answers at {self._address}; start one there: "
                "`TVM_NUM_THREADS=1 python -m tvm.exec.rpc_server`."
            ) from error
        self._session.get_function(_CONFIGURE_THREADS)(1, 1)

    @contextlib.contextmanager
    def load(
        self, functions: Mapping[str, PrimFunc], arrays: Sequence[np.ndarray]
    ) -> Iterator[Loaded]:
        """Compiles kernels here and sends them there; see `Local.load`.

        Raises:
          ValueError: if the device cannot run them.
        """
        compiled = tvm.compile(tvm.IRModule(dict(functions)), self._target)
        # the loader there would take a name that it has seen for the same library
        name = f"kernels_{next(self._numbers)}.so"
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            linking.link(compiled, path, self._machine)
            content = bytearray(path.read_bytes())
        try:
            self._session.upload(content, name)
            module = self._session.load_module(name)
            yield Loaded(module, self._session.cpu(), arrays)
            self._session.remove(name)
        except RPCError as error:
            reason = str(error).strip().splitlines()
            raise ValueError(
                f"Kernels for {self._machine.name} failed at {self._address}: "
                f"{reason[-1] if reason else error!r}. Is that its target?"
            ) from error
