"""What a `.tflite` tells of itself as a whole: its variant, its work, its size."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmot_onexn.tflite import flatbuffer, kernels, validation
from tfmot_onexn.tflite.kernels import StoredKernel


@dataclasses.dataclass(frozen=True)
class Description:
    """A file in a few numbers, None where it does not tell.

    Attributes:
      size_bytes: of the file.
      variant: "dense" without zeros to speak of, else "onexn", or "weight" where single
        weights are zero.
      n: output channels of the most frequent block.
      sparsity: share of zeros in the sparse kernels together.
      dtype: of the stored weights.
      macs: multiply-accumulates per image.
      nonzero_macs: of them with a weight other than 0.
    """

    size_bytes: int
    variant: str | None = None
    n: int | None = None
    sparsity: float | None = None
    dtype: str | None = None
    macs: int | None = None
    nonzero_macs: int | None = None


def of_file(path: str | os.PathLike) -> Description:
    """Describes a `.tflite` file.

    Raises:
      ValueError: if it cannot be read or is damaged.
    """
    return of_content(flatbuffer.read_bytes(path), str(path))


def of_content(content: bytes, name: str = "the model") -> Description:
    """Describes the content of a `.tflite` file, which errors call ``name``.

    Raises:
      ValueError: if it is damaged.
    """
    stored = kernels.read(validation.validated(content, name))
    largest = max(stored, key=lambda kernel: kernel.kernel.size, default=None)
    return Description(
        size_bytes=len(content),
        dtype=None if largest is None else str(largest.kernel.dtype),
        macs=_total([kernel.macs for kernel in stored]),
        nonzero_macs=_total([kernel.nonzero_macs for kernel in stored]),
        **_pattern(stored),
    )


def _total(parts: Sequence[int | None]) -> int | None:
    """Returns a sum, None if there is nothing to sum or a part is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _pattern(stored: Sequence[StoredKernel]) -> dict[str, Any]:
    """Returns variant, n and sparsity."""
    sparse = [kernel for kernel in stored if kernel.n is not None]
    if not sparse:
        return {"variant": "dense", "sparsity": 0.0} if stored else {}
    sizes, counts = np.unique([kernel.n for kernel in sparse], return_counts=True)
    n = int(sizes[counts.argmax()])
    zeros = sum(int(np.count_nonzero(kernel.kernel == 0)) for kernel in sparse)
    return {
        "variant": "weight" if n == 1 else "onexn",
        "n": n,
        "sparsity": zeros / sum(kernel.kernel.size for kernel in sparse),
    }
