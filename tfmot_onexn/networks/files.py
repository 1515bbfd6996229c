"""Files that appear whole or not at all."""

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator


def require_writable(path: str | os.PathLike) -> None:
    """Raises ValueError unless `replacing` could write there; for before long work."""
    _temporary_beside(pathlib.Path(path)).unlink()


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside ``path`` that takes its name on success.

    The temporary name ends as ``path`` does, since Keras tells formats by it.

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
        descriptor, name = tempfile.mkstemp(
            prefix=".unfinished-", suffix=path.name, dir=path.parent
        )
    except OSError as error:
        raise ValueError(
            f"Cannot write {path}: {error.strerror} ({path.parent}). Choose a folder "
            "that exists and can be written."
        ) from error
    os.close(descriptor)
    return pathlib.Path(name)
