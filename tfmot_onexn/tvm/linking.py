"""Links compiled networks into shared libraries."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from tfmot_onexn import targets
from tfmot_onexn.targets import Target

# the oldest C library that a file linked with zig runs with
_GLIBC = "2.17"
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
            lines = done.stdout.strip().splitlines()
            telling = [line for line in lines if "error" in line.lower()]
            raise ValueError(
                f"Linking for {target.name} with {command[0]} failed: "
                f"{(telling or lines or ['no message'])[0]}"
            )

    executable.export_library(str(path), fcompile=run)


def _linker(target: Target) -> list[str]:
    if target.name == targets.HOST:
        for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
            if name and shutil.which(name):
                return [name]
    if target.android:
        raise ValueError(
            f"A build for {target.name} would need TVM's own runtime, built for "
            "Android, to link against. There is none here; the delegate runs there: "
            f"`onexn delegate --target {target.name}`."
        )
    package = importlib.util.find_spec("ziglang")
    if package is None or not package.submodule_search_locations:
        raise ValueError(
            f"Linking for {target.name} needs ziglang: pip install tfmot-onexn[build]."
        )
    zig = pathlib.Path(package.submodule_search_locations[0], "zig")
    return [str(zig), "cc", "-target", f"{target.triple}.{_GLIBC}"]
