"""C compilers for this machine and others: its own, zig from PyPI, Android's.

Building the delegate while the package is installed needs it, with Python alone.
"""

import importlib.util
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence

from tfmot_onexn import targets
from tfmot_onexn.targets import Target

# the oldest C library that a file built with zig runs with, and the oldest Android
GLIBC = "2.17"
ANDROID_API = 24
EXTRA = "pip install tfmot-onexn[build]"
# zig takes its processor's abilities from here, not from -mfpu
_ZIG_CPU = {"armv7l": ["-mcpu=generic+v7a+neon+vfp4"]}
_COMPILERS = (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++")))
# what compilers say of a linker that has told the reason already
_SUMMARY = re.compile(r"ld returned \d+ exit status|linker command failed")


class BuildError(ValueError):
    """A build that failed.

    Attributes:
      log: what the compiler printed.
    """

    def __init__(self, message: str, log: str):
        super().__init__(message)
        self.log = log


def has_compiler() -> bool:
    """Whether CMake finds compilers of its own for C and C++."""
    return all(
        os.environ.get(variable) or any(map(shutil.which, names))
        for variable, names in _COMPILERS
    )


def own_c_compiler(target: Target) -> list[str] | None:
    """Returns the command of this machine's own C compiler.

    ``CC`` names it, with options if need be; else it is the first that is found.

    Args:
      target: what for; None is returned for all but "host".
    """
    if target.name != targets.HOST:
        return None
    variable, names = _COMPILERS[0]
    given = os.environ.get(variable)
    if given:
        return shlex.split(given)
    found = next(filter(None, map(shutil.which, names)), None)
    return [found] if found else None


def named(target: Target) -> str:
    """Returns how messages call a target."""
    return "this machine" if target.name == targets.HOST else target.name


def has_zig() -> bool:
    """Whether ziglang is installed."""
    return _zig_folder() is not None


def zig_program(target: Target, what: str) -> str:
    """Returns the path of zig.

    Args:
      target: what for.
      what: is built, for the message.

    Raises:
      ValueError: if it is not installed.
    """
    folder = _zig_folder()
    if folder is None:
        raise ValueError(
            f"Building {what} for {named(target)} needs ziglang, which brings a "
            f"compiler: {EXTRA}."
        )
    return str(pathlib.Path(folder, "zig"))


def zig_options(target: Target, *, static: bool = False) -> list[str]:
    """Returns what tells zig the machine, and the C library that it builds with.

    Args:
      target: the machine.
      static: whether the C library becomes part of the program, which then runs on
        Android too.
    """
    cpu = _ZIG_CPU.get(target.processor, [])
    if not static:
        return ["-target", f"{target.triple}.{GLIBC}", *cpu]
    processor, system, library = target.triple.split("-")
    library = library.replace("android", "musl").replace("gnu", "musl")
    return ["-target", f"{processor}-{system}-{library}", *cpu, "-static"]


def android_kit(what: str) -> pathlib.Path:
    """Returns the folder of the Android NDK.

    Args:
      what: is built, for the message.

    Raises:
      ValueError: if there is none.
    """
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        kit = os.environ.get(variable)
        if kit:
            break
    else:
        raise ValueError(
            f"Building {what} for Android needs the Android NDK, r23 or later: "
            "install it with Android Studio or sdkmanager and set ANDROID_NDK_HOME to "
            "its folder."
        )
    toolchain = pathlib.Path(kit, "build", "cmake", "android.toolchain.cmake")
    if not toolchain.exists():
        raise ValueError(
            f"{variable} is {kit}, which is not the folder of an Android NDK: "
            f"{toolchain} is missing."
        )
    return pathlib.Path(kit)


def run(command: Sequence[str], what: str, target: Target) -> None:
    """Runs a compiler, or what calls one.

    Args:
      command: the program and its arguments, paths from the root.
      what: is built, for the message.
      target: what for.

    Raises:
      BuildError: if it cannot be started, or fails.
    """
    program = pathlib.Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # where it runs above its own files, zig does not find what it has compiled
            cwd=tempfile.gettempdir() if program == "zig" else None,
        )
    except OSError as error:
        raise BuildError(
            f"Building {what} for {named(target)} needs {command[0]}, which does not "
            f"start: {error.strerror}. Install it, or set CC to another compiler.",
            "",
        ) from error
    if done.returncode != 0:
        raise BuildError(
            f"Building {what} for {named(target)} with {program} failed: "
            f"{first_error(done.stdout)}",
            done.stdout,
        )


def first_error(log: str) -> str:
    """Returns the line of a failed compiler's output that tells most."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    lines = [line for line in lines if not _SUMMARY.search(line)] or lines
    telling = [line for line in lines if "error" in line.lower()]
    return (telling or lines or ["no message"])[0]


def _zig_folder() -> str | None:
    package = importlib.util.find_spec("ziglang")
    if package is None or not package.submodule_search_locations:
        return None
    return package.submodule_search_locations[0]
