"""What an export holds: the network, its artifacts and their checksums.

Reading it needs neither TVM nor TensorFlow.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfmot_onexn.tvm import builds

NAME = "manifest.json"
SCHEMA = 1
TFLITE = "tflite"
# of each kind of artifact, as benchmarks call it
_RUNTIMES = {TFLITE: "tflite", builds.VM: "tvm_vm", builds.PLAN: "tvm_plan"}
# what the manifest must have beside the schema, with its type
_KEYS = {
    "model": str,
    "inputs": list,
    "outputs": list,
    "artifacts": list,
    "versions": dict,
}
_ARTIFACT_KEYS = {"path": str, "kind": str, "runtime": str, "sha256": dict}


def artifact(
    folder: pathlib.Path, path: str, kind: str, target: str | None = None
) -> dict[str, Any]:
    """Describes an artifact.

    Args:
      folder: of the export.
      path: in it, of a file or a folder.
      kind: "tflite", "vm" or "plan".
      target: what it is built for, None if it runs anywhere.

    Returns:
      The above, ``runtime``, ``size_bytes``, of a plan without what stays off a device,
      and ``sha256`` of each of its files, whose paths are in the folder too.
    """
    whole = folder / path
    files = sorted(whole.iterdir()) if whole.is_dir() else [whole]
    return {
        "path": path,
        "kind": kind,
        "target": target,
        "runtime": _RUNTIMES[kind],
        "size_bytes": builds.size(whole),
        "sha256": {
            file.relative_to(folder).as_posix(): _checksum(file) for file in files
        },
    }


def write(folder: pathlib.Path, described: Mapping[str, Any]) -> None:
    """Writes a manifest; see `read`."""
    document = {"schema": SCHEMA, **described}
    (folder / NAME).write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def read(directory: str | os.PathLike) -> dict[str, Any]:
    """Returns the manifest of an export whose files are all as they were written.

    Args:
      directory: that `export` wrote.

    Returns:
      ``model``, its name; ``variant``, ``n``, ``sparsity``, ``dtype``, ``macs`` and
      ``nonzero_macs``; ``inputs`` and ``outputs``, lists of ``{"name", "shape",
      "dtype"}``; ``artifacts``, see `artifact`; ``versions`` of what made it.

    Raises:
      ValueError: if it is no export, or a file is missing or damaged.
    """
    directory = pathlib.Path(directory)
    document = _document(directory)
    for path, expected in _checksums(document).items():
        try:
            found = _checksum(directory / path)
        except OSError as error:
            raise ValueError(
                f"Cannot read {directory / path}, which {NAME} lists: "
                f"{error.strerror}. Copy the whole folder, or export again."
            ) from error
        if found != expected:
            raise ValueError(
                f"{directory / path} is damaged: it has another checksum than "
                f"{NAME} tells. Copy it again, or export again."
            )
    return document


def paths(directory: str | os.PathLike) -> set[pathlib.Path]:
    """Returns the files that an export has, whether they are there or not.

    Raises:
      ValueError: if the folder is no export.
    """
    directory = pathlib.Path(directory)
    listed = _checksums(_document(directory))
    return {directory / path for path in (NAME, *listed)}


def _document(directory: pathlib.Path) -> dict[str, Any]:
    path = directory / NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{directory} is no export: {error.strerror} ({NAME}). Make one with "
            "`onexn export MODEL -o DIR`."
        ) from error
    try:
        return _checked(json.loads(content))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged: {error}. Copy it again, or export again."
        ) from error


def _checked(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    if document.get("schema") != SCHEMA:
        raise ValueError(
            f"it has schema {document.get('schema')!r}, this version reads {SCHEMA}"
        )
    _require(document, _KEYS)
    for each in document["artifacts"]:
        _require(each, _ARTIFACT_KEYS)
    for path in _checksums(document):
        # a file elsewhere is none of an export's
        if pathlib.PurePosixPath(path).is_absolute() or ".." in path.split("/"):
            raise ValueError(f"the path {path!r} leaves the folder")
    return document


def _require(document: Any, keys: Mapping[str, type]) -> None:
    for key, kind in keys.items():
        if not isinstance(document, dict) or not isinstance(document.get(key), kind):
            raise ValueError(f"it has no {key!r} of the right kind")


def _checksums(document: Mapping[str, Any]) -> dict[str, str]:
    """Returns the checksum of every file."""
    return {
        path: checksum
        for each in document["artifacts"]
        for path, checksum in each["sha256"].items()
    }


def _checksum(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
