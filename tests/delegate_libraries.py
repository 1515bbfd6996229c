"""The delegate for other machines, built once for all tests that look at it."""

import fcntl
import pathlib

from tfmot_onexn import targets
from tfmot_onexn.tflite.delegate_build import build

_BUILDS = pathlib.Path(__file__).parents[1] / "build"

SMALL = {
    "CMakeLists.txt": (
        "cmake_minimum_required(VERSION 3.18)\nproject(small LANGUAGES C CXX)\n"
        "add_library(onexn_delegate SHARED small.cc)\n"
        "set_target_properties(onexn_delegate PROPERTIES LINKER_LANGUAGE C)\n"
    ),
    "small.cc": 'extern "C" int small() { return 1; }\n',
}


def library_for(name: str) -> pathlib.Path:
    """Returns the path of the library for a target; compiles only what has changed."""
    folder = _BUILDS / f"delegate-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build(targets.resolve(name), folder)


def write_small(folder: pathlib.Path) -> pathlib.Path:
    """Writes sources that compile in no time, to test the way of building."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in SMALL.items():
        (folder / name).write_text(content)
    return folder
