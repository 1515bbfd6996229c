"""The delegate's chains as a library for tests, built on first use.

`tflite_delegate/testing/chain_api.h` describes it.
"""

import ctypes
import fcntl
import functools
import os
import pathlib
import shutil
import subprocess

from tfmot_onexn.benchmark.delegate_kernels import Library

ROOT = pathlib.Path(__file__).resolve().parents[1]


def build(*targets, folder="delegate", options=()):
    """Builds targets of the delegate's sources; returns the folder.

    What the installation compiled is used again. One process at a time: those of
    pytest-xdist share the folder.
    """
    directory = ROOT / "build" / folder
    directory.mkdir(parents=True, exist_ok=True)
    tools = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    configure = ["cmake", "-S", ROOT / "tflite_delegate", "-B", directory, "-G"]
    configure += ["Ninja", "-DONEXN_TESTING=ON", *options]
    # what pip installed with is gone
    configure.append(f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja', path=tools)}")
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for command in (configure, ["cmake", "--build", directory, "--target"]):
            if command is not configure:
                command += targets
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                env={**os.environ, "PATH": tools},
            )
            assert done.returncode == 0, done.stdout + done.stderr
    return directory


@functools.cache
def path():
    """Returns the path of the test library, built if need be."""
    return build("onexn_testing") / "testing" / "libonexn_testing.so"


@functools.cache
def library():
    """Returns the loaded test library."""
    loaded = Library(path()).functions
    pointer, number = ctypes.c_void_p, ctypes.c_int32
    signatures = {
        "onexn_name": (ctypes.c_char_p, [pointer]),
        "onexn_set_cache": (None, [ctypes.c_int64]),
        "onexn_pool_create": (pointer, [number]),
        "onexn_pool_destroy": (None, [pointer]),
        "onexn_pool_threads": (number, [pointer]),
        "onexn_pool_count": (None, [pointer] + [number] * 3 + [pointer] * 2),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded
