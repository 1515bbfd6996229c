"""Files and folders that appear whole or not at all."""

import contextlib
import os
import pathlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import psutil


def require_writable(path: str | os.PathLike) -> None:
    """Raises ValueError unless `replacing` could write there; for before long work."""
    _temporary_beside(pathlib.Path(path)).unlink()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside ``path`` that takes its name on success.

    The temporary name ends as ``path`` does, since Keras tells formats by it. What a
    killed process left of the same file is removed.

    Args:
      path: the file to write; one that exists is replaced.

    Raises:
      ValueError: if the folder is missing or cannot be written.
    """
    path = pathlib.Path(path)
    temporary = _temporary_beside(path)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields an empty folder beside ``path`` that takes its name on success.

    What a killed process left of the same folder is removed.

    Args:
      path: the folder to write; one that exists is replaced, with all that it holds.

    Raises:
      ValueError: if the folder around it is missing or cannot be written.
    """
    path = pathlib.Path(path)
    with _named_errors(path):
        _remove_abandoned(path)
        unfinished = pathlib.Path(tempfile.mkdtemp(**_temporary_name(path)))
    try:
        yield unfinished
        unfinished.chmod(0o777 & ~_umask())
        if path.exists():
            old = pathlib.Path(tempfile.mkdtemp(**_temporary_name(path)))
            path.rename(old)
            unfinished.rename(path)
            shutil.rmtree(old)
        else:
            unfinished.rename(path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def write(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes a file whole or not at all; see `replacing`."""
    raw = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(raw)


def _temporary_beside(path: pathlib.Path) -> pathlib.Path:
    if path.is_dir():
        raise ValueError(f"Cannot write {path}: it is a folder. Name a file in it.")
    with _named_errors(path):
        _remove_abandoned(path)
        descriptor, name = tempfile.mkstemp(**_temporary_name(path))
    os.close(descriptor)
    return pathlib.Path(name)


def _temporary_name(path: pathlib.Path) -> dict[str, Any]:
    return {
        "prefix": f".unfinished-{os.getpid()}-",
        "suffix": f"-{path.name}",
        "dir": path.parent,
    }


@contextlib.contextmanager
def _named_errors(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ValueError(
            f"Cannot write {path}: {error.strerror} ({path.parent}). Choose a folder "
            "that exists and can be written."
        ) from error


def _remove_abandoned(path: pathlib.Path) -> None:
    """Removes temporary files and folders of ``path`` whose process is gone."""
    abandoned = re.compile(rf"\.unfinished-(\d+)-\w+-{re.escape(path.name)}")
    for name in os.listdir(path.parent):
        match = abandoned.fullmatch(name)
        if match and not psutil.pid_exists(int(match[1])):
            left = path.parent / name
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
