"""Writes all that a network is shipped as, and what describes it, into one folder."""

import os
import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

from tfmot_onexn.networks import files
from tfmot_onexn.targets import HOST, resolve
from tfmot_onexn.tflite import versions
from tfmot_onexn.tvm import builds, extra, manifest
from tfmot_onexn.tvm.build import build
from tfmot_onexn.tvm.source import Progress, Source, prepare

_TFLITE = "model.tflite"
_NAMES = {builds.VM: "model.so", builds.PLAN: "plan"}


def export(
    model: Any,
    directory: str | os.PathLike,
    *,
    targets: Sequence[str] = (HOST,),
    format: str = builds.ALL,
    float16: bool = False,
    progress: Progress = lambda step: None,
) -> dict[str, Any]:
    """Writes a network's `.tflite`, its TVM builds and a manifest.

    The folder holds ``model.tflite``; for each target ``TARGET/model.so``, a library
    for TVM's virtual machine, and ``TARGET/plan``, which runs without TVM; and
    ``manifest.json``, which names the network, its inputs and outputs, the checksum of
    each file and the versions of what made them; see `manifest.read`.

    Args:
      model: a Keras model, with pruning wrappers or without, or the path of a
        `.tflite`, which is copied, of a `.keras`, a `.h5` or a SavedModel.
      directory: appears whole or not at all. An export that is there is replaced.
      targets: some of `targets.NAMES`.
      format: of the builds: "vm", "plan", or "all" that a target can have; TVM's
        runtime, which a library needs, is not built for Android.
      float16: stores the weights of a model in half precision.
      progress: called with the name of each step before it begins.

    Returns:
      The manifest.

    Raises:
      ValueError: if TVM is not installed, the model cannot be read or converted, a
        target or the format is unknown, a build fails, or the folder cannot be
        written.
    """
    extra.require()
    chosen = _builds(targets, format)
    _require_replaceable(pathlib.Path(directory))
    with files.replacing_folder(directory) as unfinished:
        source = prepare(model, unfinished, float16=float16, progress=progress)
        if source.path != unfinished / _TFLITE:
            _copy(source.path, unfinished / _TFLITE)
        _build_all(source, chosen, unfinished, progress)
    return manifest.read(directory)


def _build_all(
    source: Source,
    chosen: Sequence[tuple[str, str]],
    folder: pathlib.Path,
    progress: Progress,
) -> None:
    """Writes a build for each target and format, and the manifest of all."""
    artifacts = [manifest.artifact(folder, _TFLITE, manifest.TFLITE)]
    for target, kind in chosen:
        path = f"{target}/{_NAMES[kind]}"
        (folder / target).mkdir(exist_ok=True)
        build(
            source,
            folder / path,
            target=target,
            format=kind,
            progress=_named(progress, target, kind),
        )
        artifacts.append(manifest.artifact(folder, path, kind, target))
    # what each build tells of the network is the same
    told = builds.describe(folder / artifacts[-1]["path"])
    described = {
        "model": source.name,
        **told["row"],
        "inputs": told["inputs"],
        "outputs": told["outputs"],
        "artifacts": artifacts,
        "versions": versions.installed(),
    }
    manifest.write(folder, described)


def _builds(targets: Sequence[str], format: str) -> list[tuple[str, str]]:
    """Returns target and format of each build, once it is sure that they exist."""
    from tfmot_onexn.tvm import processors

    formats = (builds.ALL, *builds.FORMATS)
    if format not in formats:
        raise ValueError(f"Unknown format {format!r}; choose one of {list(formats)}.")
    names = [targets] if isinstance(targets, str) else list(dict.fromkeys(targets))
    if not names:
        raise ValueError(f'No target is given; targets=("{HOST}",) is this machine.')
    chosen = []
    for name in names:
        processors.processor(name)
        possible = builds.formats_for(resolve(name))
        if format not in (builds.ALL, *possible):
            raise ValueError(
                f"TVM's runtime, which a library for {name} needs, is not built for "
                "it; a plan does without: ask for the format plan."
            )
        wanted = possible if format == builds.ALL else (format,)
        chosen += [(name, kind) for kind in wanted]
    return chosen


def _require_replaceable(directory: pathlib.Path) -> None:
    """Raises ValueError if there is something else than an export."""
    if not directory.exists():
        return
    if pathlib.Path.cwd().is_relative_to(directory.resolve()):
        raise ValueError(
            f"Cannot write {directory}: this program runs in it. Name a new folder."
        )
    if directory.is_dir() and not any(directory.iterdir()):
        return
    try:
        known = manifest.paths(directory)
    except ValueError as error:
        raise ValueError(
            f"Cannot write {directory}: it exists and is no export. Name a new folder."
        ) from error
    for path in sorted(directory.rglob("*")):
        if path not in known and not path.is_dir():
            raise ValueError(
                f"Cannot write {directory}: it holds {path.relative_to(directory)}, "
                "which is of no export. Move it away, or name a new folder."
            )


def _copy(path: pathlib.Path, copy: pathlib.Path) -> None:
    try:
        shutil.copyfile(path, copy)
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from error


def _named(progress: Progress, target: str, kind: str) -> Progress:
    return lambda step: progress(f"{step}: {target}, {kind}")
