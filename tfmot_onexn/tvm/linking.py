"""Links compiled networks into shared libraries."""

import os
import pathlib
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from tfmot_onexn import targets
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
        done = subprocess.run(
            [*command, "-O2", "-shared", "-fPIC", "-o", output, *objects, *own],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            raise ValueError(
                f"Linking {_WHAT} for {compilers.named(target)} with {command[0]} "
                f"failed: {compilers.first_error(done.stdout)}"
            )

    executable.export_library(str(path), fcompile=run)


def _linker(target: Target) -> list[str]:
    if target.name == targets.HOST:
        given = os.environ.get("CC")
        if given:
            return shlex.split(given)
        for name in ("cc", "gcc", "clang"):
            if shutil.which(name):
                return [name]
    if target.android:
        raise ValueError(
            f"A build for {target.name} would need TVM's own runtime, built for "
            "Android, to link against. There is none here; the delegate runs there: "
            f"`onexn delegate --target {target.name}`."
        )
    zig = compilers.zig_program(target, _WHAT)
    return [zig, "cc", *compilers.zig_options(target)]
