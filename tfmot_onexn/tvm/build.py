"""Builds a network with TVM."""

import dataclasses
import os
import pathlib
import tempfile
import warnings
from typing import Any

from tfmot_onexn import targets
from tfmot_onexn.networks import files
from tfmot_onexn.tflite import description
from tfmot_onexn.tvm import builds, extra, trailer
from tfmot_onexn.tvm.source import Progress, Source, prepare


def build_tvm(
    model_or_tflite: Any,
    path: str | os.PathLike,
    *,
    target: str = targets.HOST,
    format: str = builds.VM,
    fuse: bool = True,
    tuned: str | os.PathLike | None = None,
    progress: Progress = lambda step: None,
) -> None:
    """Builds a network with BSR kernels.

    Sparse tensors of the file, and kernels with whole blocks of zeros, become BSR
    kernels; dense ones go through the same kernels with every block stored, but for
    those of one pixel, which have a dense kernel.

    Args:
      model_or_tflite: a Keras model, or the path of a `.tflite`, a `.keras`, a `.h5` or
        a SavedModel.
      path: of the shared library to write, of the folder for a plan.
      target: one of `targets.NAMES`.
      format: "vm" for TVM's Relax virtual machine, or "plan", which runs without TVM;
        see `plan.write`.
      fuse: compute inverted residuals of large feature maps as one kernel each.
      tuned: a file of `onexn tune`, whose tiles go before those of the package.
      progress: called with the name of each step before it begins.

    Raises:
      ValueError: if TVM is not installed, the model cannot be read or converted, TVM
        cannot import it, the target or the format is unknown, the tuned file is none,
        or linking fails.
    """
    _require_writable(path, format)
    extra.require()
    # TVM's modules not before it is known to be there: the name is public without it
    from tfmot_onexn.tvm import processors, tuning_database

    # before long work
    processors.processor(target)
    if tuned is not None:
        tuning_database.load(tuned)
    with tempfile.TemporaryDirectory() as folder:
        source = prepare(model_or_tflite, folder, progress=progress)
        build(
            *(source, path),
            target=target,
            format=format,
            fuse=fuse,
            tuned=tuned,
            progress=progress,
        )


def build(
    source: Source,
    path: str | os.PathLike,
    *,
    target: str,
    format: str,
    fuse: bool = True,
    tuned: str | os.PathLike | None = None,
    progress: Progress = lambda step: None,
) -> None:
    """Builds a `.tflite`; see `build_tvm`, which also asks for TVM first."""
    from tfmot_onexn.tvm import frontend, linking, plan, processors, rewrite
    from tfmot_onexn.tvm import tuning_database as tuning

    tvm_target, tile = processors.processor(target)
    progress("Importing")
    module = frontend.load(source.path)
    about = describe(source, module["main"], target=target, format=format)
    progress("Choosing kernels")
    databases = [tuning.shipped()]
    if tuned is not None:
        databases.insert(0, tuning.load(tuned))
    choose = tuning.Chooser(tile, databases)
    rewritten = rewrite.rewrite(module, tile, choose, fuse=fuse)
    if tuned is not None and choose.stale:
        warnings.warn(
            f"{tuned} was tuned for other kernels: {len(choose.stale)} of this network "
            f"are another, such as {choose.stale[0]}, and do without. Tune again.",
            stacklevel=2,
        )
    progress("Compiling")
    write = plan.write if format == builds.PLAN else linking.write
    machine = targets.resolve(target)
    with warnings.catch_warnings():
        # of TVM's own making
        warnings.simplefilter("ignore")
        write(rewritten.module, tvm_target, machine, path, about)


def describe(source: Source, main: Any, *, target: str, format: str) -> dict[str, Any]:
    """Returns what a build tells of itself.

    Args:
      source: the network.
      main: its function, as the importer made it.
      target: as `build` has it.
      format: likewise.
    """
    return {
        "schema": trailer.SCHEMA,
        "format": format,
        "target": target,
        "model": source.name,
        **_ports(main),
        "row": _row(description.of_file(source.path)),
    }


def _require_writable(path: str | os.PathLike, format: str) -> None:
    """Raises ValueError unless a build of a format can be written there."""
    if format not in builds.FORMATS:
        raise ValueError(
            f"Unknown format {format!r}; choose one of {list(builds.FORMATS)}."
        )
    if format == builds.VM and pathlib.Path(path).suffix != ".so":
        raise ValueError(
            f"Cannot write {path}: TVM loads a library by its name, which must end in "
            f".so; call it {path}.so, or ask for the format plan."
        )
    if format == builds.VM:
        files.require_writable(path)


def _row(told: description.Description) -> dict[str, Any]:
    row = dataclasses.asdict(told)
    # of the file, not of the build
    del row["size_bytes"]
    return row


def _ports(main: Any) -> dict[str, list[dict[str, Any]]]:
    """Describes inputs and outputs of a function."""
    from tfmot_onexn.tvm.graph import results

    found = results(main)
    # as plans call them
    names = [f"output_{index}" for index in range(len(found))]
    if len(found) == 1:
        names = ["output"]
    return {
        "inputs": [_port(str(each.name), each) for each in main.params],
        "outputs": list(map(_port, names, found)),
    }


def _port(name: str, expression: Any) -> dict[str, Any]:
    from tfmot_onexn.tvm.graph import shape_of

    return {
        "name": name,
        "shape": list(shape_of(expression)),
        "dtype": str(expression.ty.dtype),
    }
