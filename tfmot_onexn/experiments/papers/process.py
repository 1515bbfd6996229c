"""A process of several that do jobs.

It is imported before TensorFlow, which prints notes where a progress bar may be.
"""

import multiprocessing
import os
import pathlib
import threading
from typing import TYPE_CHECKING

from tfmot_onexn.benchmark import native_notes

if TYPE_CHECKING:
    from tfmot_onexn.experiments.papers.jobs import Job
    from tfmot_onexn.experiments.papers.workshop import Workshop

_workshop: "Workshop | None" = None


def start(
    folder: pathlib.Path, data: str, weights: tuple[tuple[str, str], ...], threads: int
) -> None:
    """Prepares the process.

    Args:
      folder: the first field of `Sources`, which cannot be sent: unpickling it
        imports TensorFlow.
      data: its second field.
      weights: its third field.
      threads: that TensorFlow and NumPy may use.
    """
    global _workshop
    end_with_parent()
    # NumPy's threads wait busily, each for a processor that another process has
    for library in ("OPENBLAS", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", str(threads))
    with native_notes.hidden():
        import tensorflow as tf

        from tfmot_onexn.experiments.papers import workshop
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _workshop = workshop.Workshop(workshop.Sources(folder, data, weights))


def end_with_parent() -> None:
    """Ends this process when the one that started it is gone, even if killed.

    It would train on to the end of its job, whose result a new run wants as well.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def do(job: "Job") -> None:
    """Does a job and keeps its result."""
    from tfmot_onexn.experiments.papers.jobs import Store

    if _workshop is None:
        raise RuntimeError("The process has not been started.")
    Store(_workshop.sources.folder).do(job, _workshop)
