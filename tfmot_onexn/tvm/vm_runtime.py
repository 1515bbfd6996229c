"""Runs TVM builds in the Relax virtual machine."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmot_onexn.tvm import extra, loadable

# the entry of a network
_MAIN = "main"


class VirtualMachine:
    """A network that is ready to run.

    Attributes:
      inputs: name, shape and dtype of each, as the build describes them.
      outputs: likewise.
    """

    def __init__(self, path: str | os.PathLike, description: dict[str, Any]) -> None:
        import tvm
        from tvm import relax

        self.inputs = description["inputs"]
        self.outputs = description["outputs"]
        self._tensor = tvm.runtime.tensor
        # the machine holds what it runs, and this the machine
        self._machine = relax.VirtualMachine(
            tvm.runtime.load_module(str(path)), tvm.cpu()
        )
        self._main = self._machine[_MAIN]
        self._arguments: list[Any] = []

    def set_inputs(self, arrays: Sequence[np.ndarray]) -> None:
        """Sets what `invoke` reads.

        Raises:
          ValueError: if there are more or fewer than inputs, or a shape differs.
        """
        shapes = [list(np.shape(array)) for array in arrays]
        expected = [each["shape"] for each in self.inputs]
        if shapes != expected:
            raise ValueError(f"Inputs have the shapes {shapes}, expected {expected}.")
        self._arguments = [
            self._tensor(np.ascontiguousarray(array, each["dtype"]))
            for array, each in zip(arrays, self.inputs, strict=True)
        ]

    def invoke(self) -> Any:
        """Runs the network once; returns what TVM does."""
        return self._main(*self._arguments)

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the network on arrays of its inputs' shapes; returns its outputs."""
        self.set_inputs(arrays)
        found = self.invoke()
        outputs = [found] if hasattr(found, "numpy") else list(found)
        return [output.numpy() for output in outputs]


def load(path: str | os.PathLike, threads: int = 1) -> VirtualMachine:
    """Loads a build for this machine.

    Args:
      path: of the library.
      threads: of all builds in this process; TVM takes it from the first.

    Raises:
      ValueError: if TVM is missing, or the file is no build for this machine.
    """
    extra.require()
    description = loadable.require(path)
    os.environ["TVM_NUM_THREADS"] = str(threads)
    # else TVM pins threads to cores, whoever else works there
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    return VirtualMachine(path, description)
