"""A build that runs without TVM: kernels, weights, static memory and a small runner."""

import json
import os
import pathlib
import shutil
import zlib
from collections.abc import Mapping
from typing import Any

import tvm
from tvm.target.codegen import llvm_cpu_has_features

from tfmot_onexn.networks import files
from tfmot_onexn.targets import Target
from tfmot_onexn.tvm import plan_link
from tfmot_onexn.tvm.builds import ABOUT, CALLS, WEIGHTS
from tfmot_onexn.tvm.plan_file import encode
from tfmot_onexn.tvm.plan_lowering import lower

HEADER = "runner.h"


def write(
    module: tvm.IRModule,
    target: tvm.target.Target,
    machine: Target,
    folder: str | os.PathLike,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Builds a plan.

    The folder holds ``plan.bin`` (calls, shapes and where each tensor lies),
    ``weights.bin``, ``libplan.so`` (the kernels and the runner, whose interface is
    ``runner.h``) and ``benchmark``, a program that measures it on any Linux or Android
    with such a processor.

    Args:
      module: of Relax; its "main" has static shapes and no control flow.
      target: what TVM compiles for.
      machine: the same, to link for.
      folder: appears whole or not at all. A plan that is there is replaced.
      about: what to tell of the network in ``about.json``, which no runner reads.

    Raises:
      ValueError: for what a plan cannot have, a missing compiler, or a folder that
        cannot be written.
    """
    if os.path.exists(folder) and not pathlib.Path(folder, CALLS).is_file():
        raise ValueError(
            f"Cannot write {folder}: it exists and is no plan. Name a new folder."
        )
    with files.replacing_folder(folder) as unfinished:
        program, functions = lower(module)
        kernels = _compile(functions, target, unfinished) if program.calls else b""
        plan_link.require_served(kernels)
        encoded = encode(program, zlib.crc32(kernels))
        (unfinished / CALLS).write_bytes(encoded.plan)
        (unfinished / WEIGHTS).write_bytes(encoded.weights)
        isa = _isa(target)
        plan_link.link(unfinished, kernels, program.kernels, machine, isa)
        if about is not None:
            (unfinished / ABOUT).write_text(json.dumps(about, indent=2) + "\n")
        shutil.copy(plan_link.RUNNER / HEADER, unfinished / HEADER)


def _compile(
    functions: tvm.IRModule, target: tvm.target.Target, folder: pathlib.Path
) -> bytes:
    """Returns the object file of kernels."""
    path = folder / "kernels.o"
    tvm.compile(functions, target).mod.write_to_file(str(path))
    content = path.read_bytes()
    path.unlink()
    return content


def _isa(target: tvm.target.Target) -> str:
    """Returns what the kernels need of a processor, as the runner calls it."""
    for feature, isa in (("avx512f", "AVX512"), ("avx2", "AVX2")):
        if llvm_cpu_has_features([feature], target):
            return isa
    return "ANY"
