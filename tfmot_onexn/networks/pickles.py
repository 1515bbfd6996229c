"""Reads pickles of plain values, and runs nothing that they ask for."""

import io
import pathlib
import pickle
import pickletools
from typing import Any

import numpy as np


def load(path: pathlib.Path) -> dict[bytes, Any]:
    """Reads a pickled dictionary of numbers, strings, lists and uint8 arrays.

    Args:
      path: of a pickle by Python 2 or 3; strings of Python 2 come back as bytes.

    Raises:
      ValueError: if the file is missing, damaged or asks for anything else.
    """
    try:
        raw = path.read_bytes()
        _require_honest_sizes(raw)
        content = _PlainUnpickler(io.BytesIO(raw), encoding="bytes").load()
    except FileNotFoundError as error:
        raise ValueError(f"No file {path}; the folder is not complete.") from error
    except Exception as error:  # a damaged pickle can raise anything
        reason = str(error) or type(error).__name__
        raise ValueError(f"Cannot read the pickle {path}: {reason}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"The pickle {path} does not hold a dictionary.")
    return {
        key: value.values if isinstance(value, _Array) else value
        for key, value in content.items()
    }


def _require_honest_sizes(raw: bytes) -> None:
    """Refuses what would make Python reserve far more memory than the file has bytes.

    `pickletools` itself refuses a value that is longer than the rest of the file.
    """
    for opcode, index, position in pickletools.genops(raw):
        # each value that is kept takes at least a byte
        if opcode.name in ("PUT", "LONG_BINPUT") and int(index or 0) > int(
            position or 0
        ):
            raise pickle.UnpicklingError(f"byte {position} keeps a value as {index}")


class _Array:
    """Stands for NumPy's array in a pickle.

    NumPy's own would set the state of dtypes that the whole process shares, so that a
    damaged file could break them.
    """

    values: np.ndarray | None = None

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        _, shape, dtype, by_columns, raw = state
        if not isinstance(dtype, _DType) or dtype.name not in (b"u1", "u1"):
            raise pickle.UnpicklingError("it has an array that is not uint8")
        values = np.frombuffer(raw, np.uint8)
        self.values = values.reshape(shape, order="F" if by_columns else "C")


class _DType:
    """Stands for NumPy's dtype in a pickle; its name is all that counts."""

    def __init__(self, name, *_):
        self.name = name

    def __setstate__(self, state):
        pass


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every class and function but those that a NumPy array comes with."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            # the modules that define it before and since NumPy 2
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _DType,
        }
        if (module, name) not in allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return allowed[module, name]
