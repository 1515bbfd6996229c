"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator

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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write(path: str | os.PathLike, content: bytes | str) -> None:
    """Writes a file whole or not at all; see `replacing`."""
    raw = content.encode() if isinstance(content, str) else content
    with replacing(path) as temporary:
        temporary.write_bytes(raw)


def _temporary_beside(path: pathlib.Path) -> pathlib.Path:
    if path.is_dir():
        raise ValueError(f"Cannot write {path}: it is a folder. Name a file in it.")
    try:
        _remove_abandoned(path)
        descriptor, name = tempfile.mkstemp(
            prefix=f".unfinished-{os.getpid()}-",
            suffix=f"-{path.name}",
            dir=path.parent,
        )
    except OSError as error:
        raise ValueError(
            f"Cannot write {path}: {error.strerror} ({path.parent}). Choose a folder "
            "that exists and can be written."
        ) from error
    os.close(descriptor)
    return pathlib.Path(name)


def _remove_abandoned(path: pathlib.Path) -> None:
    """Removes temporary files of ``path`` whose process is gone."""
    abandoned = re.compile(rf"\.unfinished-(\d+)-\w+-{re.escape(path.name)}")
    for name in os.listdir(path.parent):
        match = abandoned.fullmatch(name)
        if match and not psutil.pid_exists(int(match[1])):
            (path.parent / name).unlink(missing_ok=True)
