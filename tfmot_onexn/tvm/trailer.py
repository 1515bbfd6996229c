"""What a TVM build tells of itself: JSON behind the library.

The file is a shared library that any loader takes. Behind it stand the description, its
length in 8 bytes, little-endian, and a mark. Reading it needs no TVM.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

SCHEMA = 1
_MARK = b"ONEXNTVM"
_LENGTH = 8
# what the description must have beside the schema, with its type
_KEYS = {
    "format": str,
    "target": str,
    "model": str,
    "inputs": list,
    "outputs": list,
    "row": dict,
}
_TENSOR_KEYS = ("name", "shape", "dtype")
_ELF = b"\x7fELF"
_REMEDY = "Build it again with `onexn build`."


def is_library(path: str | os.PathLike) -> bool:
    """Whether a file is to be taken for a TVM build: a library, or named as one."""
    path = pathlib.Path(path)
    if path.suffix == ".so":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(_ELF)) == _ELF
    except OSError:
        return False


def append(path: str | os.PathLike, description: Mapping[str, Any]) -> None:
    """Writes a description, and a checksum of the library, behind a library.

    Args:
      path: of the library, which has no description yet.
      description: ``format`` ("vm" or "plan"), ``target`` (see `targets`), ``model``,
        ``inputs`` and ``outputs``, lists of ``{"name", "shape", "dtype"}``, and
        ``row``, what benchmarks say of the model.

    Raises:
      ValueError: if the description lacks something.
    """
    content = pathlib.Path(path).read_bytes()
    document = checked({"schema": SCHEMA, **description})
    document["sha256"] = hashlib.sha256(content).hexdigest()
    written = json.dumps(document).encode()
    length = len(written).to_bytes(_LENGTH, "little")
    with pathlib.Path(path).open("ab") as file:
        file.write(written + length + _MARK)


def read(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the description of a TVM build; see `append`.

    Raises:
      ValueError: if the file cannot be read, is no such build, or is damaged.
    """
    try:
        content = pathlib.Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from error
    end = len(content) - len(_MARK) - _LENGTH
    if not content.startswith(_ELF):
        raise ValueError(
            f"{path} is no TVM build: it is not a shared library. Make one with "
            "`onexn build MODEL -o OUT.so`."
        )
    if end < 0 or not content.endswith(_MARK):
        raise ValueError(
            f"{path} is no TVM build of `onexn build`, or is cut off: its description "
            f"is missing at the end. {_REMEDY}"
        )
    start = end - int.from_bytes(content[end : end + _LENGTH], "little")
    try:
        if start < len(_ELF):
            raise ValueError("its description is longer than the file")
        document = json.loads(content[max(start, 0) : end])
        checked(document)
        if hashlib.sha256(content[:start]).hexdigest() != document.get("sha256"):
            raise ValueError("the library has another checksum than the description")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}. {_REMEDY}") from error
    return document


def checked(document: Any) -> dict[str, Any]:
    """Returns a description if it has all that readers rely on.

    Raises:
      ValueError: if it lacks something.
    """
    if not isinstance(document, dict):
        raise ValueError("its description is no JSON object")
    if document.get("schema") != SCHEMA:
        raise ValueError(
            f"its description has schema {document.get('schema')!r}, this version "
            f"reads {SCHEMA}"
        )
    for key, kind in _KEYS.items():
        if not isinstance(document.get(key), kind):
            raise ValueError(f"its description has no {key!r} of the right kind")
    for tensor in (*document["inputs"], *document["outputs"]):
        if not isinstance(tensor, dict) or not set(_TENSOR_KEYS) <= set(tensor):
            raise ValueError(f"a tensor of its description lacks one of {_TENSOR_KEYS}")
    return document
