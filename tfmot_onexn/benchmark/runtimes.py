"""Which runtime a name stands for, and which of them run an artifact.

Names are those of `tflite.interpreter`, perhaps with "+delegate", and those of TVM.
"""

import os
from collections.abc import Sequence

from tfmot_onexn.tflite import interpreter
from tfmot_onexn.tvm import builds, extra

TVM_VM, TVM_PLAN = "tvm_vm", "tvm_plan"
# "tvm" is what runs an artifact, and where there is none yet, the virtual machine
_TVM = {"tvm": TVM_VM, TVM_VM: TVM_VM, TVM_PLAN: TVM_PLAN}
# what each runs: the format, and how its name ends beside the .tflite
BUILDS = {TVM_VM: (builds.VM, ".so"), TVM_PLAN: (builds.PLAN, ".plan")}
_OF_FORMAT = {format_: runtime for runtime, (format_, _) in BUILDS.items()}


def split(spelled: str) -> tuple[str, bool]:
    """Splits "litert+delegate" into a runtime and whether the delegate is used.

    Raises:
      ValueError: if the runtime is unknown or not installed, or something else is
        added to it.
    """
    name, plus, added = spelled.partition("+")
    if name in _TVM:
        if plus:
            raise ValueError(
                f"Unknown addition {added!r} to the runtime {name!r}: TVM takes none."
            )
        if name != TVM_PLAN:
            extra.require()
        return _TVM[name], False
    if name not in ("tflite", *interpreter.RUNTIMES):
        raise ValueError(
            f"Unknown runtime {name!r}; choose tflite, tvm or one of "
            f"{[*interpreter.RUNTIMES, TVM_VM, TVM_PLAN]}."
        )
    return interpreter.split_runtime(spelled)


def is_tvm(spelled: str) -> bool:
    """Whether a name stands for a runtime of TVM builds."""
    return spelled.partition("+")[0] in _TVM


def resolve(spelled: str) -> str:
    """Returns the runtime of TVM builds that a name stands for."""
    return _TVM[spelled]


def expanded(spelled: Sequence[str]) -> list[str]:
    """Returns names, each once, "tvm" as all runtimes of TVM builds."""
    each = [BUILDS if name == "tvm" else (name,) for name in spelled]
    return list(dict.fromkeys(name for names in each for name in names))


def of_artifact(path: str | os.PathLike, spelled: Sequence[str]) -> list[str]:
    """Returns those of several runtimes that run an artifact.

    Args:
      path: of a `.tflite` file, a library for TVM's virtual machine or a plan.
      spelled: names; "tvm" becomes the runtime of the artifact.

    Raises:
      ValueError: if none of them does.
    """
    found = builds.format_of(path)
    if found is None:
        fitting = [name for name in spelled if not is_tvm(name)]
        kind, needed = ".tflite file", "tflite"
    else:
        runtime = _OF_FORMAT[found]
        fitting = [runtime for name in spelled if name in ("tvm", runtime)]
        kind, needed = f"TVM build ({found})", "tvm"
    if not fitting:
        raise ValueError(
            f"{path} is taken for a {kind}, which {', '.join(spelled)} cannot run; add "
            f"{needed} to the runtimes."
        )
    return list(dict.fromkeys(fitting))
