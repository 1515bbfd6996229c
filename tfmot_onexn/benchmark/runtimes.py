"""Which runtime a name stands for, and which of them run an artifact.

Names are those of `tflite.interpreter`, perhaps with "+delegate", and those of TVM.
"""

import os
from collections.abc import Sequence

from tfmot_onexn.tflite import interpreter
from tfmot_onexn.tvm import extra, trailer

TVM_VM = "tvm_vm"
# "tvm" is every runtime of TVM that runs an artifact, which today is one
_TVM = {"tvm": TVM_VM, TVM_VM: TVM_VM}


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
        extra.require()
        return _TVM[name], False
    if name not in ("tflite", *interpreter.RUNTIMES):
        raise ValueError(
            f"Unknown runtime {name!r}; choose tflite, tvm or one of "
            f"{[*interpreter.RUNTIMES, TVM_VM]}."
        )
    return interpreter.split_runtime(spelled)


def is_tvm(spelled: str) -> bool:
    """Whether a name stands for a runtime of TVM builds."""
    return spelled.partition("+")[0] in _TVM


def of_artifact(path: str | os.PathLike, spelled: Sequence[str]) -> list[str]:
    """Returns those of several runtimes that run an artifact, a `.tflite` or a `.so`.

    Raises:
      ValueError: if none of them does.
    """
    of_tvm = trailer.is_library(path)
    fitting = [name for name in spelled if is_tvm(name) == of_tvm]
    if not fitting:
        kind, needed = ("TVM build", "tvm") if of_tvm else (".tflite file", "tflite")
        raise ValueError(
            f"{path} is taken for a {kind}, which {', '.join(spelled)} cannot run; add "
            f"{needed} to the runtimes."
        )
    return fitting
