"""What a `.tflite` stores and runs of each kernel of a network.

The same rows for a file and for a Keras model, whose file is foretold.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmot_onexn.sparsity import bsr
from tfmot_onexn.tflite import (
    constraints,
    delegate_verdicts,
    facts,
    flatbuffer,
    kernels,
    validation,
)
from tfmot_onexn.tflite.constraints import Verdict
from tfmot_onexn.tflite.facts import Facts
from tfmot_onexn.tflite.kernels import StoredKernel
from tfmot_onexn.tflite.sparse_encoding import block_to_store

# among the runtimes of a verdict: this package's delegate, on this machine
DELEGATE = "delegate"


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One kernel.

    Attributes:
      name: of the layer.
      operator: of TFLite, None if not known.
      kernel_shape: ``[kh, kw, in, out]`` or ``[in, out]``; ``[kh, kw, out, 1]`` if
        depthwise.
      n: output channels per block, None without zero blocks.
      sparsity: share of weights that are zero.
      fill: share of weights other than 0 inside the blocks that are kept.
      l1: sum of the weights' absolute values.
      dense_l1: that of the dense model, None if there is none.
      macs: multiply-accumulates per image over all calls of the layer, None if the
        size of its input is not known.
      nonzero_macs: of them with a weight other than 0.
      dense_bytes: of the kernel with its zeros.
      encoded_bytes: of values and indices as a `.tflite` stores them.
      verdicts: what each stock runtime does with it (see `tflite.constraints`), and
        "delegate": what the delegate does on this machine.
      pinned: why its output channels could not be rearranged.
      kept: why none of them can be removed, where their order is free.
      notes: where block rows are narrower than N.
    """

    name: str
    operator: str | None
    kernel_shape: tuple[int, ...]
    n: int | None
    sparsity: float
    fill: float
    l1: float
    dense_l1: float | None
    macs: int | None
    nonzero_macs: int | None
    dense_bytes: int
    encoded_bytes: int
    verdicts: dict[str, Verdict] = dataclasses.field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.kernel_shape))

    @property
    def kept_l1(self) -> float | None:
        """The l1 norm over the dense model's; above 1 if training let weights grow."""
        return self.l1 / self.dense_l1 if self.dense_l1 else None


@dataclasses.dataclass(frozen=True)
class Summary:
    """All kernels of a model or a file.

    Attributes:
      name: of the model or the file.
      kind: "keras" or "tflite".
      layers: in graph order.
      verdicts: what each stock runtime and the delegate do with the network.
      untraced: a line for each layer whose channels could not be followed, so that they
        stay in place.
      unlisted: a line for each layer with weights that are not among ``layers``.
    """

    name: str
    kind: str
    layers: tuple[LayerSummary, ...]
    verdicts: dict[str, Verdict]
    untraced: tuple[str, ...] = ()
    unlisted: tuple[str, ...] = ()

    @property
    def pruned(self) -> tuple[LayerSummary, ...]:
        """The kernels with zero blocks."""
        return tuple(layer for layer in self.layers if layer.n is not None)

    def totals(self) -> dict[str, Any]:
        """Returns the sums over all kernels, and shares over all and over the pruned.

        MACs that are not known count as 0; ``unknown_macs`` is the number of such
        kernels.
        """
        sums = ("macs", "nonzero_macs", "dense_bytes", "encoded_bytes")
        dense_l1 = sum(layer.dense_l1 or 0 for layer in self.pruned)
        return {
            "kernels": len(self.layers),
            "pruned_kernels": len(self.pruned),
            "sparsity": _share_of_zeros(self.layers),
            "pruned_sparsity": _share_of_zeros(self.pruned),
            "pruned_kept_l1": sum(layer.l1 for layer in self.pruned) / dense_l1
            if dense_l1
            else None,
            "unknown_macs": sum(layer.macs is None for layer in self.layers),
            **{
                name: sum(getattr(layer, name) or 0 for layer in self.layers)
                for name in sums
            },
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the summary as plain values.

        The keys are the attributes of this class and ``totals``. Each of ``layers`` has
        the attributes of `LayerSummary` and ``kept_l1``; ``verdicts`` maps "x86-64",
        "arm64" and "delegate" to ``{"word", "reason"}``. A norm that is no number is
        None.
        """
        plain = dataclasses.asdict(self)
        for values, layer in zip(plain["layers"], self.layers, strict=True):
            values["kept_l1"] = layer.kept_l1
            for norm in ("l1", "dense_l1", "kept_l1"):
                if values[norm] is not None and not math.isfinite(values[norm]):
                    values[norm] = None
        return {**plain, "totals": self.totals()}


def read(model_or_path: Any) -> Summary:
    """Summarizes a `tf_keras` model, or the `.tflite` at a path.

    Raises:
      ValueError: if it is neither, or damaged.
    """
    if isinstance(model_or_path, (str, os.PathLike)):
        return of_file(model_or_path)
    return of_model(model_or_path)


def of_file(path: str | os.PathLike) -> Summary:
    """Summarizes a `.tflite` file.

    Raises:
      ValueError: if it is damaged.
    """
    found, stored = _of_content(flatbuffer.read_bytes(path), str(path))
    return _with_delegate(found, delegate_verdicts.of_kernels(path, stored))


def of_content(content: bytes, name: str = "the model") -> Summary:
    """Summarizes the content of a `.tflite` file, without asking the delegate.

    Args:
      content: of the file.
      name: what errors call it.

    Raises:
      ValueError: if it is damaged.
    """
    return _of_content(content, name)[0]


def _of_content(content: bytes, name: str) -> tuple[Summary, list[StoredKernel]]:
    model = validation.validated(content, name)
    stored = kernels.read(model)
    blocks = [kernel.n or _block(kernel.kernel) for kernel in stored]
    layers = [
        _layer(kernel, n, kernel.stored_bytes)
        for kernel, n in zip(stored, blocks, strict=True)
    ]
    found = [
        facts.of_kernel(kernel, n, kernel.n is not None)
        for kernel, n in zip(stored, blocks, strict=True)
    ]
    judged = _judged(layers, facts.in_file(model, stored, found))
    return Summary(pathlib.Path(name).name, "tflite", *judged), stored


def of_model(model: Any) -> Summary:
    """Summarizes a `tf_keras` model, as far as it is built.

    Raises:
      ValueError: if it is no `tf_keras` model.
    """
    from tfmot_onexn.pruning.kernels import ModelKernels

    reader = ModelKernels(model)
    layers, found = [], []
    for kernel in reader.read():
        weights, block = kernel.kernel, None
        if kernel.operator in flatbuffer.KERNEL_LAYERS.values():
            block = block_to_store(weights)
        size = weights.nbytes if block is None else bsr.encoded_bytes(weights, block)
        n = block or _block(weights)
        layers.append(_layer(kernel, n, size, **kernel.remarks()))
        found.append(facts.of_kernel(kernel, n, block is not None))
    summary = Summary(
        model.name, "keras", *_judged(layers, found), reader.untraced, reader.unlisted
    )
    foretold = [delegate_verdicts.foretold(layer.n is not None) for layer in layers]
    return _with_delegate(summary, foretold)


def _layer(kernel: Any, n: int | None, stored_bytes: int, **remarks) -> LayerSummary:
    """Summarizes a `pruning.kernels.Kernel` or a `tflite.kernels.StoredKernel`."""
    weights = kernel.kernel
    nonzero = int(np.count_nonzero(weights))
    return LayerSummary(
        name=kernel.name,
        operator=kernel.operator,
        kernel_shape=weights.shape,
        n=n,
        sparsity=1 - nonzero / weights.size,
        fill=1.0 if n is None else bsr.fill(weights, n),
        l1=_l1(weights),
        dense_l1=None,
        macs=kernel.macs,
        nonzero_macs=None
        if kernel.macs is None
        else kernel.macs * nonzero // weights.size,
        dense_bytes=weights.nbytes,
        encoded_bytes=stored_bytes,
        **remarks,
    )


def _l1(weights: np.ndarray) -> float:
    with np.errstate(invalid="ignore"):  # a file may hold what is no number
        return float(np.abs(weights).sum(dtype=np.float64))


def _block(kernel: np.ndarray) -> int | None:
    """Returns n of the zero blocks in a kernel that is stored dense, None without."""
    if (kernel != 0).all():
        return None
    n = bsr.block_size(kernel)
    return n if bsr.encoded_bytes(kernel, n) < kernel.nbytes else None


def _judged(
    layers: Sequence[LayerSummary], found: Sequence[Facts]
) -> tuple[tuple[LayerSummary, ...], dict[str, Verdict]]:
    """Adds the verdicts of stock runtimes to kernels; returns the network's too."""
    verdicts = constraints.of_kernels(found)
    judged = tuple(
        dataclasses.replace(layer, verdicts=of_layer)
        for layer, of_layer in zip(layers, verdicts, strict=True)
    )
    return judged, constraints.of_network(verdicts)


def _with_delegate(found: Summary, verdicts: Sequence[Verdict]) -> Summary:
    """Adds the delegate's verdict on each kernel; the network's is of those pruned."""
    layers = tuple(
        dataclasses.replace(layer, verdicts={**layer.verdicts, DELEGATE: verdict})
        for layer, verdict in zip(found.layers, verdicts, strict=True)
    )
    asked = [layer for layer in layers if layer.n is not None] or layers
    of_network = constraints.of_network(
        [{DELEGATE: layer.verdicts[DELEGATE]} for layer in asked]
    )
    return dataclasses.replace(
        found, layers=layers, verdicts={**found.verdicts, **of_network}
    )


def _share_of_zeros(layers: Sequence[LayerSummary]) -> float | None:
    size = sum(layer.size for layer in layers)
    return sum(layer.sparsity * layer.size for layer in layers) / size if size else None
