"""Runs a plan in this process, through the C interface of its library.

Needs NumPy only; a plan knows nothing of TVM.
"""

import _ctypes
import ctypes
import dataclasses
import os
import pathlib

import numpy as np

from tfmot_onexn.tvm.builds import LIBRARY

_BUSY = -2
_KINDS = {0: "int", 1: "uint", 2: "float"}


class _Tensor(ctypes.Structure):
    """`onexn_tensor` of ``runner.h``."""

    _fields_ = [
        ("name", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
    ]


@dataclasses.dataclass(frozen=True)
class Port:
    """An input or an output.

    Attributes:
      name: as the network calls it.
      array: its memory in the plan, writable for an input.
    """

    name: str
    array: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Of the array."""
        return self.array.dtype


class Plan:
    """A plan, opened. Arrays of its ports are valid until it is closed.

    Attributes:
      inputs: in order.
      outputs: in order; their content is that of the last run.
      target: the machine that it was built for.
    """

    def __init__(self, folder: str | os.PathLike, num_threads: int = 1):
        """Opens a plan.

        Args:
          folder: that `plan.write` made.
          num_threads: this one among them.

        Raises:
          ValueError: if there is no plan that runs on this machine, or it is damaged.
        """
        self._plan: int | None = None
        self._library = _load(pathlib.Path(folder))
        message = ctypes.create_string_buffer(1024)
        self._plan = self._library.onexn_plan_open(
            os.fsencode(folder), num_threads, message, len(message)
        )
        if self._plan is None:
            _unload(self._library)
            raise ValueError(message.value.decode(errors="replace"))
        self.target = self._library.onexn_plan_target().decode()
        self.inputs = self._ports(self._library.onexn_plan_inputs)
        self.outputs = self._ports(self._library.onexn_plan_outputs)

    def run(self, *arrays: np.ndarray) -> list[np.ndarray]:
        """Computes the outputs.

        Args:
          *arrays: of the shapes and dtypes of the inputs.

        Returns:
          A copy of each output.

        Raises:
          ValueError: for arrays that do not fit.
          RuntimeError: if a kernel fails, or another thread is running the plan.
        """
        if len(arrays) != len(self.inputs):
            raise ValueError(
                f"The plan takes {len(self.inputs)} inputs, not {len(arrays)}."
            )
        for port, array in zip(self.inputs, arrays, strict=True):
            given = np.asarray(array)
            if given.shape != port.shape or given.dtype != port.dtype:
                raise ValueError(
                    f"The input {port.name} is {port.dtype}{list(port.shape)}, not "
                    f"{given.dtype}{list(given.shape)}."
                )
            port.array[...] = given
        self.invoke()
        return [port.array.copy() for port in self.outputs]

    def invoke(self) -> None:
        """Computes the outputs from what the inputs' arrays hold.

        Raises:
          RuntimeError: if a kernel fails, or another thread is running the plan.
        """
        self._check(self._library.onexn_plan_run(self._opened()))

    @property
    def calls(self) -> list[str]:
        """The kernel of each call, in order."""
        plan = self._opened()
        count = self._library.onexn_plan_calls(plan)
        names = self._library.onexn_plan_call_name
        return [names(plan, index).decode() for index in range(count)]

    def invoke_call(self, index: int) -> None:
        """Runs one call, on what the calls before it wrote; to measure it."""
        self._check(self._library.onexn_plan_run_call(self._opened(), index))

    def close(self) -> None:
        """Frees the memory of the plan."""
        if self._plan is not None:
            self.inputs, self.outputs = [], []
            self._library.onexn_plan_close(self._plan)
            self._plan = None
            _unload(self._library)

    def __enter__(self) -> "Plan":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _opened(self) -> int:
        if self._plan is None:
            raise ValueError("The plan is closed.")
        return self._plan

    def _check(self, status: int) -> None:
        if status == _BUSY:
            raise RuntimeError(
                "Another thread is running the plan: open it once per thread."
            )
        if status != 0:
            message = self._library.onexn_plan_message(self._plan)
            raise RuntimeError(message.decode(errors="replace"))

    def _ports(self, function) -> list[Port]:
        first = ctypes.POINTER(_Tensor)()
        count = function(self._plan, ctypes.byref(first))
        return [_port(first[index]) for index in range(count)]


def _port(tensor: _Tensor) -> Port:
    name = "bool" if tensor.code == 6 else f"{_KINDS[tensor.code]}{tensor.bits}"
    shape = tuple(tensor.shape[axis] for axis in range(tensor.ndim))
    memory = (ctypes.c_uint8 * tensor.bytes).from_address(tensor.data)
    array = np.frombuffer(memory, dtype=name).reshape(shape)
    return Port(tensor.name.decode(), array)


def _unload(library: ctypes.CDLL) -> None:
    """Lets go of a library, so that a new one of the same path can be loaded."""
    _ctypes.dlclose(library._handle)


def _load(folder: pathlib.Path) -> ctypes.CDLL:
    path = folder / LIBRARY
    if not path.is_file():
        raise ValueError(
            f"{folder} is no plan: it has no {LIBRARY}. `onexn build --format plan` "
            "makes one."
        )
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise ValueError(
            f"{path} cannot be loaded on this machine ({error}). Build the plan for it."
        ) from error
    plan, count = ctypes.c_void_p, ctypes.c_int
    tensors = ctypes.POINTER(ctypes.POINTER(_Tensor))
    text = ctypes.c_char_p
    for name, result, arguments in (
        ("target", text, []),
        ("open", plan, [text, count, text, ctypes.c_size_t]),
        ("close", None, [plan]),
        ("inputs", count, [plan, tensors]),
        ("outputs", count, [plan, tensors]),
        ("run", count, [plan]),
        ("message", text, [plan]),
        ("calls", count, [plan]),
        ("call_name", text, [plan, count]),
        ("run_call", count, [plan, count]),
    ):
        function = getattr(library, f"onexn_plan_{name}")
        function.restype, function.argtypes = result, arguments
    return library
