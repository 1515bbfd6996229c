"""What a path is of TVM: a library for its virtual machine, a plan, or neither."""

import json
import os
import pathlib
from typing import Any

from tfmot_onexn.targets import Target
from tfmot_onexn.tvm import trailer

VM, PLAN = "vm", "plan"
FORMATS = (VM, PLAN)
# each that a target can have
ALL = "all"
# files of a plan: its description, what it computes and with what, and what runs it,
# from a program or as one that measures
ABOUT = "about.json"
CALLS, WEIGHTS = "plan.bin", "weights.bin"
LIBRARY = "libplan.so"
BENCHMARK = "benchmark"
_DEPLOYED = (CALLS, WEIGHTS, LIBRARY)


def formats_for(target: Target) -> tuple[str, ...]:
    """Returns the formats that a target can have."""
    # a library would need TVM's own runtime, built for Android
    return (PLAN,) if target.android else FORMATS


def format_of(path: str | os.PathLike) -> str | None:
    """Returns the format that a path is to be taken for, None if it is no TVM build."""
    if pathlib.Path(path, CALLS).exists():
        return PLAN
    return VM if trailer.is_library(path) else None


def describe(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the description of a build; see `trailer.append`.

    Raises:
      ValueError: if it is none, or damaged.
    """
    if format_of(path) != PLAN:
        return trailer.read(path)
    about = pathlib.Path(path, ABOUT)
    try:
        return trailer.checked(json.loads(about.read_text("utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"{about} is missing or damaged ({error}). Build the plan again with "
            "`onexn build --format plan`."
        ) from error


def size(path: str | os.PathLike) -> int:
    """Returns the bytes of what goes to a device."""
    if format_of(path) != PLAN:
        return os.path.getsize(path)
    return sum(os.path.getsize(pathlib.Path(path, name)) for name in _DEPLOYED)
