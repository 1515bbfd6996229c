"""Reads mutated `.tflite` files as this package does, under limits."""

import io
import pathlib
import resource
import time
import warnings

import psutil
import rich.console

from tfmot_onexn import inspection
from tfmot_onexn.tflite import (
    flatbuffer,
    inventory,
    kernels,
    sparse_encoding,
    validation,
)

_MEMORY = 512 << 20  # bytes above what the process starts with
_SECONDS = 1.0


def prepare() -> None:
    """Limits this process's memory and makes warnings errors."""
    warnings.simplefilter("error")
    limit = psutil.Process().memory_info().vms + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def examine(path: pathlib.Path, index: int) -> str:
    """Validates a file, reads its kernels, prints its summary, encodes it at times.

    Returns:
      "accepted" or "rejected".

    Raises:
      Exception: whatever but a ``ValueError`` of one line that names the file.
      AssertionError: if a message does not, if a step disagrees with another, or takes
        more than a second of the processor.
    """
    start = time.process_time()
    try:
        outcome = _read(path, index)
    except ValueError as error:
        outcome = "rejected"
        assert str(path) in str(error), f"no file in the message: {error}"
        assert len(str(error).splitlines()) == 1, f"not one line: {error}"
        assert len(str(error)) < 1000, f"a long message: {error}"
    seconds = time.process_time() - start
    assert seconds <= _SECONDS, f"{outcome} in {seconds:.2f} s"
    return outcome


def _read(path: pathlib.Path, index: int) -> str:
    content = flatbuffer.read_bytes(path)
    model = validation.validated(content, str(path))
    try:
        kernels.read(model)
        console = rich.console.Console(file=io.StringIO(), width=120)
        # in-process, so without the delegate, which needs a runtime
        inspection.show(inventory.of_content(content, str(path)), console)
        if index % 10 == 0:
            encoded = sparse_encoding.encode(content, str(path))
            validation.validated(encoded, "what was encoded")
    except ValueError as error:
        raise AssertionError("validated, then refused") from error
    return "accepted"
