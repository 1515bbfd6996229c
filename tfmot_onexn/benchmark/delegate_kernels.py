"""Single kernels of the delegate, through the C interface that its tests use.

`tflite_delegate/testing/chain_api.h` describes the interface. The library that has it
is no part of the package: CMake builds it with ``-DONEXN_TESTING=ON``.
"""

import ctypes
import os

import numpy as np

from tfmot_onexn.sparsity.bsr import BSR

# the widest first
ISAS = ("avx512", "avx2", "neon")
REFERENCE = "reference"
_ALIGNMENT = 64


class CActivation(ctypes.Structure):
    """``OnexnActivation``."""

    _fields_ = [
        ("low", ctypes.c_float),
        ("high", ctypes.c_float),
        ("hard_swish", ctypes.c_int32),
    ]


class CWindow(ctypes.Structure):
    """``OnexnWindow``."""

    _fields_ = [("values", ctypes.c_int32 * 8)]


class CConvolution(ctypes.Structure):
    """``OnexnConvolution``."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("rows", "columns", "n")),
        *((name, ctypes.c_void_p) for name in ("data", "indices", "indptr", "bias")),
        ("window", CWindow),
        ("activation", CActivation),
    ]


class CChain(ctypes.Structure):
    """``OnexnChain``."""

    _fields_ = [
        ("expand", ctypes.POINTER(CConvolution)),
        ("depthwise_weights", ctypes.c_void_p),
        ("depthwise_bias", ctypes.c_void_p),
        ("depthwise_window", CWindow),
        ("depthwise_activation", CActivation),
        ("squeeze_first", ctypes.POINTER(CConvolution)),
        ("squeeze_second", ctypes.POINTER(CConvolution)),
        ("squeeze_scale", ctypes.c_float),
        ("project", ctypes.POINTER(CConvolution)),
        ("has_residual", ctypes.c_int32),
    ]


class Library:
    """The library of the interface.

    Args:
      path: of ``libonexn_testing.so``.

    Raises:
      ValueError: if it cannot be loaded or is another library.
    """

    def __init__(self, path: str | os.PathLike):
        try:
            self.functions = ctypes.CDLL(os.path.abspath(path))
        except OSError as error:
            raise ValueError(
                f"Cannot load {path}: {error}. Build it with CMake from "
                "tflite_delegate, -DONEXN_TESTING=ON, target onexn_testing."
            ) from error
        pointer, number = ctypes.c_void_p, ctypes.c_int32
        create = [pointer, ctypes.c_char_p, number, pointer, pointer]
        signatures = {
            "onexn_create": (pointer, create),
            "onexn_destroy": (None, [pointer]),
            "onexn_run": (number, [pointer] * 4),
            "onexn_time": (None, [pointer] * 4 + [number, pointer]),
            "onexn_peak": (ctypes.c_double, [ctypes.c_char_p]),
        }
        for name, (result, arguments) in signatures.items():
            try:
                function = getattr(self.functions, name)
            except AttributeError:
                raise ValueError(f"{path} has no function {name}.") from None
            function.restype, function.argtypes = result, arguments

    def peak(self, isa: str) -> float:
        """Returns what one thread multiplies and adds from registers, in GMAC/s.

        0 where the processor does not have the ISA.
        """
        return self.functions.onexn_peak(isa.encode())

    def isas(self) -> list[str]:
        """Returns which of `ISAS` this processor has."""
        return [isa for isa in ISAS if self.peak(isa) > 0]


class Pointwise:
    """A 1x1 convolution with ReLU6, one thread.

    Args:
      library: that computes it.
      isa: one of `ISAS`, or `REFERENCE`.
      bsr: the kernel.
      bias: ``[M]``.
      images: float32 ``[1, H, W, K]``.
      stride: in both directions.

    Raises:
      ValueError: if the processor does not have the ISA.
    """

    def __init__(
        self,
        library: Library,
        isa: str,
        bsr: BSR,
        bias: np.ndarray,
        images: np.ndarray,
        stride: int = 1,
    ):
        self._functions = library.functions
        self._runner = None
        self._images = aligned(images)
        batch, height, width, channels = images.shape
        size = (-(-height // stride), -(-width // stride))
        self._output = aligned(np.full((batch, *size, len(bias)), np.nan))
        # the interface keeps pointers, so the arrays must live as long
        self._arrays = [
            aligned(array, dtype)
            for array, dtype in (
                (bsr.data, np.float32),
                (bsr.indices, np.int32),
                (bsr.indptr, np.int32),
                (bias, np.float32),
            )
        ]
        activation = CActivation(0.0, 6.0, 0)
        self._layer = CConvolution(
            *(len(bias), channels, bsr.data.shape[-1]),
            *(array.ctypes.data for array in self._arrays),
            CWindow((1, 1, stride, stride, 1, 1, 0, 0)),
            activation,
        )
        self._chain = CChain(project=ctypes.pointer(self._layer))
        shapes = [
            (ctypes.c_int32 * 4)(*array.shape) for array in (images, self._output)
        ]
        self._runner = self._functions.onexn_create(
            ctypes.byref(self._chain), isa.encode(), 1, *shapes
        )
        if not self._runner:
            raise ValueError(f"This machine has no kernel for {isa}.")

    def __call__(self) -> np.ndarray:
        """Returns the output ``[1, H', W', M]``; the next run writes over it."""
        if not self._functions.onexn_run(self._runner, *self._addresses()):
            raise MemoryError("The kernel found no memory.")
        return self._output

    def seconds(self, runs: int) -> np.ndarray:
        """Returns the seconds of so many runs."""
        found = np.zeros(runs)
        self._functions.onexn_time(
            self._runner, *self._addresses(), runs, found.ctypes.data
        )
        return found

    def close(self) -> None:
        """Frees the kernel."""
        if self._runner:
            self._functions.onexn_destroy(self._runner)
        self._runner = None

    __del__ = close

    def _addresses(self) -> tuple[int, None, int]:
        return self._images.ctypes.data, None, self._output.ctypes.data


def aligned(array: np.ndarray, dtype: type = np.float32) -> np.ndarray:
    """Returns a copy that begins on a cache line, as a runtime's memory does."""
    array = np.asarray(array, dtype)
    memory = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    copy: np.ndarray = (
        memory[start : start + array.nbytes].view(dtype).reshape(array.shape)
    )
    copy[...] = array
    return copy
