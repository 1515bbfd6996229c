"""Builds the delegate with CMake, for this machine or another.

The installation of the package calls it too (``setup.py``), when nothing but Python and
CMake is there.
"""

import os
import pathlib
import shlex
import shutil
import sysconfig

from tfmot_onexn import targets
from tfmot_onexn.targets import Target
from tfmot_onexn.tflite.compilers import (
    ANDROID_API,
    EXTRA,
    android_kit,
    has_compiler,
    run,
    zig_options,
    zig_program,
)

LIBRARY = "libonexn_delegate.so"
# the variable that names the target of a wheel
WHEEL_TARGET = "TFMOT_ONEXN_TARGET"
# below the folder of the sources, what the library is built from
SOURCES = ("CMakeLists.txt", "*.map", "*.cc", "*.h", "kernels/*.cc", "kernels/*.h")
# what is built, in messages
_WHAT = "the delegate"
# CMake links a program to learn which compiler it has; for that alone zig would compile
# the runtimes of C++ and of a sanitizer, a minute of work
_TRIAL = (
    '$(case " $* " in *" -c "*) ;; *) echo -nostdlib++ -fno-sanitize=undefined;; esac)'
)
# the NDK's name for the processor
_ANDROID_ABI = "arm64-v8a"


def sources() -> pathlib.Path:
    """Returns the folder of the C++ sources: of the package, or beside it.

    Raises:
      ValueError: if there is none.
    """
    here = pathlib.Path(__file__).resolve().parent
    for folder in (here / "delegate_sources", here.parents[1] / "tflite_delegate"):
        if (folder / "CMakeLists.txt").exists():
            return folder
    raise ValueError(
        f"The sources of the delegate are missing in {here / 'delegate_sources'}: "
        "reinstall tfmot-onexn."
    )


def build(target: Target, directory: pathlib.Path) -> pathlib.Path:
    """Builds the delegate.

    Args:
      target: what for. This machine's own compiler is used for "host" where there is
        one; zig, from PyPI, for all else but Android.
      directory: for what the build leaves; made if missing. What an earlier build
        left there, with whatever compiler, is used as far as it can be.

    Returns:
      The path of the library in ``directory``.

    Raises:
      compilers.BuildError: if CMake or the compiler fails.
      ValueError: if a tool is missing.
    """
    directory = pathlib.Path(directory).resolve()
    directory.mkdir(parents=True, exist_ok=True)
    _forget_compiler(directory)
    cmake = _tool("cmake")
    configure = [
        *(cmake, "-S", str(sources()), "-B", str(directory), "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={_tool('ninja')}",
        "-DCMAKE_BUILD_TYPE=Release",
    ]
    if target.android:
        configure += _android()
    elif target.name != targets.HOST or not has_compiler():
        configure.append(f"-DCMAKE_TOOLCHAIN_FILE={_zig(target, directory)}")
    run(configure, _WHAT, target)
    compiling = [cmake, "--build", str(directory), "--target", "onexn_delegate"]
    run(compiling, _WHAT, target)
    return directory / LIBRARY


def _forget_compiler(directory: pathlib.Path) -> None:
    """Removes what CMake keeps of its last run, but for the compiled files."""
    (directory / "CMakeCache.txt").unlink(missing_ok=True)
    for found in directory.glob("CMakeFiles/[0-9]*"):
        shutil.rmtree(found)


def _tool(name: str) -> str:
    """Returns the path of a program, that of this environment rather than another."""
    places = [sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise ValueError(f"Building the delegate needs {name}: {EXTRA}.")
    return found


def _android() -> list[str]:
    """Returns what CMake needs to build with the Android NDK."""
    toolchain = android_kit(_WHAT) / "build" / "cmake" / "android.toolchain.cmake"
    return [
        f"-DCMAKE_TOOLCHAIN_FILE={toolchain}",
        f"-DANDROID_ABI={_ANDROID_ABI}",
        f"-DANDROID_PLATFORM=android-{ANDROID_API}",
        "-DANDROID_STL=none",
    ]


def _zig(target: Target, directory: pathlib.Path) -> pathlib.Path:
    """Writes a CMake toolchain that compiles with zig; returns its path.

    CMake wants programs, not commands, so each becomes a script.
    """
    zig = shlex.quote(zig_program(target, _WHAT))
    of_target = shlex.join(zig_options(target))
    commands = {
        "C_COMPILER": f"cc {of_target} {_TRIAL}",
        "CXX_COMPILER": f"c++ {of_target} {_TRIAL}",
        "AR": "ar",
        "RANLIB": "ranlib",
    }
    lines = [
        "set(CMAKE_SYSTEM_NAME Linux)",
        f"set(CMAKE_SYSTEM_PROCESSOR {target.processor})",
        # linking a trial program would build the C++ runtime, which nothing needs
        "set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)",
    ]
    for variable, arguments in commands.items():
        script = directory / f"zig-{arguments.split()[0]}"
        script.write_text(f'#!/bin/sh\nexec {zig} {arguments} "$@"\n')
        script.chmod(0o755)
        lines.append(f'set(CMAKE_{variable} "{script}")')
    toolchain = directory / "zig.cmake"
    toolchain.write_text("\n".join(lines) + "\n")
    return toolchain
