"""What a `.tflite` file itself tells about its row: variant, n, sparsity, MACs."""

import os
import pathlib

import numpy as np

from tfmot_onexn.benchmark import latency
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.tflite import flatbuffer, kernels, validation


def row_of(path: str | os.PathLike) -> Row:
    """Returns a row with what can be read from a file; ``failed`` if it cannot.

    The variant is "dense" without zeros to speak of, else "onexn", or "weight" where
    single weights are zero. n is the most frequent block, the sparsity that of the
    sparse kernels together.
    """
    path = pathlib.Path(path)
    row = Row(artifact=path.name)
    try:
        content = flatbuffer.read_bytes(path)
        stored = kernels.read(validation.validated(content, str(path)))
    except ValueError as error:
        row.status, row.error = "failed", str(error)
        return row
    row.size_bytes = len(content)
    if not stored:
        return row
    if all(kernel.macs is not None for kernel in stored):
        row.macs = sum(kernel.macs or 0 for kernel in stored)
        row.nonzero_macs = sum(kernel.nonzero_macs or 0 for kernel in stored)
    row.dtype = str(max((k for k in stored), key=lambda k: k.kernel.size).kernel.dtype)
    sparse = [kernel.kernel for kernel in stored if kernel.n is not None]
    if not sparse:
        row.variant, row.sparsity = "dense", 0.0
        return row
    zeros = sum(int(np.count_nonzero(kernel == 0)) for kernel in sparse)
    row.sparsity = zeros / sum(kernel.size for kernel in sparse)
    sizes, counts = np.unique(
        [kernel.n for kernel in stored if kernel.n is not None], return_counts=True
    )
    row.n = int(sizes[counts.argmax()])
    row.variant = "weight" if row.n == 1 else "onexn"
    return row


def record(row: Row, job: latency.Job, timing: latency.Timing, runtime: str) -> None:
    """Writes a timing into a row."""
    row.runtime, row.threads = runtime, job.threads
    row.median_ms = timing.percentile(50)
    row.p10_ms, row.p90_ms = timing.percentile(10), timing.percentile(90)
    row.runs = len(timing.milliseconds)
    row.status = timing.status
    row.error = timing.error
    if timing.status == "noisy":
        row.error = f"other processes used {timing.busy_share:.0%} of a core meanwhile"
