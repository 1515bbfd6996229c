"""Compiles networks into shared libraries for TVM's virtual machine."""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import tvm

from tfmot_onexn.networks import files
from tfmot_onexn.targets import Target
from tfmot_onexn.tflite import compilers
from tfmot_onexn.tvm import trailer

_WHAT = "a network"
_DIVISION = pathlib.Path(__file__).with_name("runner") / "division.c"


def write(
    module: tvm.IRModule,
    target: tvm.target.Target,
    machine: Target,
    path: str | os.PathLike,
    about: Mapping[str, Any],
) -> None:
    """Builds a library.

    Args:
      module: of Relax.
      target: what TVM compiles for.
      machine: the same, to link for.
      path: of the library, which appears whole or not at all.
      about: what to tell of the network; see `trailer.append`.

    Raises:
      ValueError: if there is nothing to link with, linking fails, or the library cannot
        be written.
    """
    executable = tvm.compile(module, target)
    with files.replacing(path) as temporary:
        link(executable, temporary, machine)
        trailer.append(temporary, about)


def link(executable: Any, path: str | os.PathLike, target: Target) -> None:
    """Writes a shared library.

    This machine's own compiler links for it where there is one, zig for all else.

    Args:
      executable: what TVM compiled.
      path: of the library.
      target: what for.

    Raises:
      ValueError: if there is nothing to link with, or it fails.
    """
    command = _linker(target)
    # what kernels call of the compiler's library, which zig's lacks for ARM
    own = [str(_DIVISION)] if target.processor == "armv7l" else []

    def run(output: str, objects: Sequence[str], **_: Any) -> None:
        paths = map(os.path.abspath, (output, *objects, *own))
        compilers.run(
            [*command, "-O2", "-shared", "-fPIC", "-o", *paths], _WHAT, target
        )

    executable.export_library(str(path), fcompile=run)


def _linker(target: Target) -> list[str]:
    own = compilers.own_c_compiler(target)
    if own:
        return own
    if target.android:
        raise ValueError(
            f"A build for {target.name} would need TVM's own runtime, built for "
            "Android, to link against. There is none here; a plan runs there without: "
            "`onexn build --format plan`."
        )
    zig = compilers.zig_program(target, _WHAT)
    return [zig, "cc", *compilers.zig_options(target)]
