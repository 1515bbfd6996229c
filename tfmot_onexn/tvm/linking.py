"""Links compiled networks into shared libraries."""

import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfmot_onexn.targets import Target
from tfmot_onexn.tflite import compilers

_WHAT = "a network"
_DIVISION = pathlib.Path(__file__).with_name("runner") / "division.c"


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
        compilers.run(
            [*command, "-O2", "-shared", "-fPIC", "-o", output, *objects, *own],
            _WHAT,
            target,
        )

    executable.export_library(str(path), fcompile=run)


def _linker(target: Target) -> list[str]:
    own = compilers.own_c_compiler(target)
    if own:
        return own
    if target.android:
        raise ValueError(
            f"A build for {target.name} would need TVM's own runtime, built for "
            "Android, to link against. There is none here; the delegate runs there: "
            f"`onexn delegate --target {target.name}`."
        )
    zig = compilers.zig_program(target, _WHAT)
    return [zig, "cc", *compilers.zig_options(target)]
