"""A build that runs without TVM: kernels, weights, static memory and a small runner."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import tvm
from tvm.target.codegen import llvm_cpu_has_features

from tfmot_onexn.targets import Target
from tfmot_onexn.tvm import plan_link
from tfmot_onexn.tvm.builds import ABOUT
from tfmot_onexn.tvm.plan_file import encode
from tfmot_onexn.tvm.plan_lowering import lower

PLAN = "plan.bin"
WEIGHTS = "weights.bin"
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
    with replacing_plan(pathlib.Path(folder)) as unfinished:
        program, functions = lower(module)
        kernels = _compile(functions, target, unfinished) if program.calls else b""
        plan_link.require_served(kernels)
        files = encode(program, zlib.crc32(kernels))
        (unfinished / PLAN).write_bytes(files.plan)
        (unfinished / WEIGHTS).write_bytes(files.weights)
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


@contextlib.contextmanager
def replacing_plan(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Yields an empty folder that takes the place of ``folder`` on success.

    Raises:
      ValueError: if there is something else than a plan, or it cannot be written.
    """
    if folder.exists() and not (folder / PLAN).is_file():
        raise ValueError(
            f"Cannot write {folder}: it exists and is no plan. Name a new folder."
        )
    try:
        unfinished = tempfile.mkdtemp(prefix=".unfinished-", dir=folder.parent)
    except OSError as error:
        raise ValueError(
            f"Cannot write {folder}: {error.strerror} ({folder.parent}). Choose a "
            "folder that exists and can be written."
        ) from error
    try:
        yield pathlib.Path(unfinished)
        os.chmod(unfinished, 0o777 & ~_umask())
        if folder.exists():
            old = tempfile.mkdtemp(prefix=".replaced-", dir=folder.parent)
            folder.rename(old)
            pathlib.Path(unfinished).rename(folder)
            shutil.rmtree(old)
        else:
            pathlib.Path(unfinished).rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
