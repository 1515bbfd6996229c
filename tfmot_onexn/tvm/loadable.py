"""Whether a TVM build runs on this machine; asked before it is loaded.

Loading a library for another processor fails with a message that helps nobody, and one
for instructions that are missing here ends the process at the first of them.
"""

import os
import pathlib
import platform
import re
import struct
from typing import Any

from tfmot_onexn import targets
from tfmot_onexn.tvm import trailer

# the numbers of processors in the header of a library
_PROCESSORS = {40: "armv7l", 62: "x86_64", 183: "aarch64"}
# what Linux calls the instructions of a target
_FLAGS = {
    "x86-64-v3": {"avx2", "fma"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
_CPUINFO = pathlib.Path("/proc/cpuinfo")


def require(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the description of a TVM build that runs on this machine.

    Raises:
      ValueError: if the file is no such build, damaged, or for another machine.
    """
    description = trailer.read(path)
    target, here = description["target"], _here()
    remedy = "Build it for this machine: `onexn build MODEL -o OUT.so`."
    with pathlib.Path(path).open("rb") as file:
        (number,) = struct.unpack_from("<H", file.read(20), 18)
    processor = _PROCESSORS.get(number, f"processor {number}")
    if processor != here:
        raise ValueError(
            f"{path} is built for {target} ({processor}), this machine is "
            f"{platform.machine()}. "
            f"{remedy}"
        )
    if target in targets.TARGETS and targets.TARGETS[target].android:
        raise ValueError(f"{path} is built for Android ({target}). {remedy}")
    missing = _missing(target)
    if missing:
        raise ValueError(
            f"{path} is built for {target}, this machine lacks {missing}. {remedy}"
        )
    return description


def unfit(target: targets.Target) -> str:
    """Returns what keeps this machine from running code for a target, else nothing."""
    if target.processor != _here() or target.android:
        return f"is {platform.machine()}"
    missing = _missing(target.name)
    return f"lacks {missing}" if missing else ""


def _here() -> str:
    """Returns the processor as targets tell it; newer ones may run older code."""
    found = platform.machine()
    return {"armv8l": "armv7l"}.get(found, found)


def _missing(target: str) -> str:
    return ", ".join(sorted(_FLAGS.get(target, set()) - _flags()))


def _flags() -> set[str]:
    """Returns the instruction sets of this machine as Linux tells them."""
    found = re.search(r"^flags\s*:(.*)$", _CPUINFO.read_text(), re.MULTILINE)
    return set(found[1].split()) if found else set()
