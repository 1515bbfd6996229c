"""The delegate's library: where it is, writing it for a target, loading it.

A delegate is a library that takes part of a graph from the runtime; this one takes the
1xN layers. ``tflite_delegate/README.md`` has its options.
"""

import ctypes
import os
import pathlib
import platform
import shutil
import struct
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

from tfmot_onexn import targets
from tfmot_onexn.networks import files
from tfmot_onexn.tflite import delegate_build

# as rows of a benchmark call it
NAME = "onexn"
# the numbers of processors in the header of a library
_PROCESSORS = {3: "i386", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv"}


def packaged() -> pathlib.Path:
    """Returns the path of the library that came with this package.

    Raises:
      ValueError: if there is none.
    """
    path = _place()
    if not path.exists():
        raise ValueError(
            f"The delegate is missing: there is no {path}. Reinstall "
            "tfmot-onexn, which builds it."
        )
    return path


def write(path: str | os.PathLike, target: str = targets.HOST) -> None:
    """Writes the library for a target.

    Args:
      path: of the library; one that exists is replaced.
      target: "host" copies the packaged library where there is one; any other is built.

    Raises:
      ValueError: if the target is unknown, a tool that builds for it is missing, or the
        file cannot be written.
    """
    wanted = targets.resolve(target)
    with files.replacing(path) as temporary, tempfile.TemporaryDirectory() as folder:
        if target == targets.HOST and _place().exists():
            library = _place()
        else:
            library = delegate_build.build(wanted, pathlib.Path(folder))
        shutil.copyfile(library, temporary)


def _place() -> pathlib.Path:
    """Returns where the installation puts the library, if it built one."""
    return pathlib.Path(__file__).resolve().with_name(delegate_build.LIBRARY)


def load(
    load_delegate: Callable[..., Any],
    library: str | os.PathLike | None = None,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Loads the library into a runtime.

    Args:
      load_delegate: the runtime's own function.
      library: a path; the packaged library if None.
      options: of the delegate, such as ``{"num_threads": 2}``.

    Returns:
      What an interpreter takes among its ``experimental_delegates``.

    Raises:
      ValueError: if the library is missing or built for another machine, or an option
        is not known.
    """
    path = packaged() if library is None else pathlib.Path(library)
    _require_whole(path)
    _require_loadable(path)
    try:
        return load_delegate(str(path.resolve()), dict(options or {}))
    except ValueError as error:
        # runtimes put a line before the delegate's own
        raise ValueError(str(error).strip().splitlines()[-1]) from error


def _require_loadable(path: pathlib.Path) -> None:
    """Raises ValueError unless a library loads and is a delegate.

    Runtimes find out too, but print a second error when they give up.
    """
    try:
        library = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise ValueError(
            f"{path} cannot be loaded: {error}. Build it for this machine: `onexn "
            "delegate -o FILE`."
        ) from error
    if not hasattr(library, "tflite_plugin_create_delegate"):
        raise ValueError(f"{path} is a library, but no delegate for TFLite.")


def _require_whole(path: pathlib.Path) -> None:
    """Raises ValueError unless a file is a whole library for this machine's processor.

    Opening a library that has lost its end ends the process.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"Cannot read the delegate {path}: {error.strerror}."
        raise ValueError(message) from error
    if len(content) < 64 or content[:4] != b"\x7fELF":
        raise ValueError(f"{path} is not a library of Linux, so not the delegate.")
    (number,) = struct.unpack_from("<H", content, 18)
    found = _PROCESSORS.get(number, f"processor {number}")
    own = {"armv7l": "arm", "armv8l": "arm"}.get(platform.machine(), platform.machine())
    if found != own:
        raise ValueError(
            f"{path} is built for {found}, this machine is {own}. Build it for this "
            "machine: `onexn delegate -o FILE`."
        )
    # a table ends the file; the header has its place, its entries' size, their number
    start, size, count = (0x28, 0x3A, 0x3C) if content[4] == 2 else (0x20, 0x2E, 0x30)
    (offset,) = struct.unpack_from("<Q" if content[4] == 2 else "<I", content, start)
    entry, number = (struct.unpack_from("<H", content, at)[0] for at in (size, count))
    if offset + entry * number > len(content):
        raise ValueError(f"{path} is cut off: write it again with `onexn delegate`.")
