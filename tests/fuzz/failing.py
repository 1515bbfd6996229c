"""An examiner that fails in every way, for the test of what watches it."""

import os
import pathlib
import signal
import time


def prepare() -> None:
    """Does nothing."""


def examine(path: pathlib.Path, index: int) -> str:
    """Raises, crashes and hangs at three files."""
    if index == 7:
        raise LookupError("odd")
    if index == 20:
        os.kill(os.getpid(), signal.SIGSEGV)
    if index == 33:
        time.sleep(600)
    return "accepted"
