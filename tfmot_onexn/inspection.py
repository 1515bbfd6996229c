"""What pruning has done to a model or a file, layer by layer."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import rich.console
import rich.table

from tfmot_onexn.sparsity import bsr
from tfmot_onexn.tflite import flatbuffer, kernels, validation


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """One kernel.

    Attributes:
      name: of the layer, or of the tensor in a file.
      kernel_shape: ``[kh, kw, in, out]`` or ``[in, out]``; ``[kh, kw, out, 1]`` if
        depthwise.
      n: output channels per block, None for a kernel that is not sparse.
      sparsity: share of weights that are zero.
      fill: share of weights other than 0 inside the blocks that are kept.
      macs: multiply-accumulates per image, None if the input size is not known.
      nonzero_macs: of them with a weight other than 0.
      dense_bytes: of the kernel with its zeros.
      encoded_bytes: of the kernel as BSR, or as the file stores it.
      note: what kept the layer from more, or an empty text.
    """

    name: str
    kernel_shape: tuple[int, ...]
    n: int | None
    sparsity: float
    fill: float
    macs: int | None
    nonzero_macs: int | None
    dense_bytes: int
    encoded_bytes: int
    note: str = ""


@dataclasses.dataclass(frozen=True)
class Summary:
    """All kernels of a model or a file.

    Attributes:
      name: of the model or the file.
      layers: in graph order.
      untraced: a line for each layer that could not be followed (see
        `graph.tracing`), whose channels stay in place.
    """

    name: str
    layers: tuple[LayerSummary, ...]
    untraced: tuple[str, ...] = ()

    def totals(self) -> dict[str, int]:
        """Returns the sums over all layers; unknown MACs count as 0."""
        names = ("macs", "nonzero_macs", "dense_bytes", "encoded_bytes")
        return {
            name: sum(getattr(layer, name) or 0 for layer in self.layers)
            for name in names
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the summary as plain values."""
        return {
            "name": self.name,
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
            "totals": self.totals(),
            "untraced": list(self.untraced),
        }


def summary(model_or_path: Any, console: rich.console.Console | None = None) -> Summary:
    """Prints a table of a model's kernels: blocks, zeros, MACs and bytes.

    Args:
      model_or_path: a `tf_keras` model, wrapped or not, or the path of a `.tflite`.
      console: where to print; the standard output if None.

    Returns:
      What the table shows.

    Raises:
      ValueError: if the file is damaged.
    """
    if isinstance(model_or_path, (str, os.PathLike)):
        found = of_file(model_or_path)
    else:
        found = of_model(model_or_path)
    (console or rich.console.Console()).print(_table(found))
    return found


def of_file(path: str | os.PathLike) -> Summary:
    """Summarizes a `.tflite` file.

    Raises:
      ValueError: if it is damaged.
    """
    model = validation.validated(flatbuffer.read_bytes(path), str(path))
    layers = [
        _layer(stored.name, stored.kernel, stored.n, stored.pixels, stored.stored_bytes)
        for stored in kernels.read(model)
    ]
    return Summary(pathlib.Path(path).name, tuple(layers))


def of_model(model: Any) -> Summary:
    """Summarizes a `tf_keras` model; one without a graph is not traced.

    Raises:
      ValueError: if it is no functional or Sequential model.
    """
    from tfmot_onexn.graph import surgery, tracing
    from tfmot_onexn.pruning import prunable, prune

    stripped = prune.strip_pruning(model)
    notes, untraced = _notes(model)
    layers = []
    for layer in surgery.leaf_layers(stripped):
        name = prunable.kernel_name(layer)
        if hasattr(layer, "depthwise_kernel"):
            name = "depthwise_kernel"
        if name is not None and layer.built:
            kernel = getattr(layer, name).numpy()
            layers.append(
                _layer(
                    layer.name,
                    kernel,
                    _sparse_block(kernel),
                    _pixels(layer),
                    note=notes.get(layer.name, ""),
                )
            )
    if not tracing.is_traceable(model):
        untraced = (f"{model.name}: has no graph yet, build it on an input shape",)
    return Summary(model.name, tuple(layers), untraced)


def _layer(
    name: str,
    kernel: np.ndarray,
    n: int | None,
    pixels: int | None,
    stored_bytes: int | None = None,
    note: str = "",
) -> LayerSummary:
    nonzero = int(np.count_nonzero(kernel))
    if stored_bytes is None:
        stored_bytes = kernel.nbytes if n is None else bsr.encoded_bytes(kernel, n)
    return LayerSummary(
        name=name,
        kernel_shape=kernel.shape,
        n=n,
        sparsity=1 - nonzero / kernel.size,
        fill=1.0 if n is None else bsr.fill(kernel, n),
        macs=None if pixels is None else pixels * kernel.size,
        nonzero_macs=None if pixels is None else pixels * nonzero,
        dense_bytes=kernel.nbytes,
        encoded_bytes=stored_bytes,
        note=note,
    )


def _sparse_block(kernel: np.ndarray) -> int | None:
    """Returns the block size of a kernel that is smaller as BSR, else None."""
    n = bsr.block_size(kernel)
    return n if bsr.encoded_bytes(kernel, n) < kernel.nbytes else None


def _pixels(layer: Any) -> int | None:
    """Returns the output positions of a layer that is called once."""
    try:
        sizes = layer.output_shape[1:-1]
    except (AttributeError, RuntimeError, TypeError):
        return None
    return None if None in sizes else int(np.prod(sizes))


def _notes(model: Any) -> tuple[dict[str, str], tuple[str, ...]]:
    """Returns what holds each layer back, and which layers are not traced."""
    from tfmot_onexn.graph import surgery, tracing
    from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN

    notes: dict[str, list[str]] = {}
    for layer in surgery.leaf_layers(model):
        if not isinstance(layer, PruneLowMagnitude1xN) or not layer.built:
            continue
        width = layer.pruning_vars[0][0].shape[-1]
        if layer.pattern.granularity == "block" and layer.pattern.n > width:
            notes.setdefault(layer.layer.name, []).append(
                f"N = {layer.pattern.n} > {width} channels: one narrow block row"
            )
    if not tracing.is_traceable(model):
        return {name: "; ".join(lines) for name, lines in notes.items()}, ()
    graph = tracing.trace(model)
    for group in graph.groups:
        for layer in group.producers:
            reasons = [f"pinned: {reason}" for reason in group.pinned]
            reasons += [] if group.pinned else [f"kept: {r}" for r in group.kept]
            notes.setdefault(layer.name, []).extend(reasons)
    return {name: "; ".join(lines) for name, lines in notes.items()}, graph.untraced


_HEADER = ("layer", "kernel", "n", "zeros", "fill", "MACs", "non-zero", "kB", "as BSR")


def _table(found: Summary) -> rich.table.Table:
    noted = any(layer.note for layer in found.layers)
    title = f"{found.name}: {len(found.layers)} kernels"
    table = rich.table.Table(title=title, title_justify="left", show_footer=True)
    totals = found.totals()
    footer = [
        *("total", "", "", "", ""),
        *(_millions(totals["macs"]), _millions(totals["nonzero_macs"])),
        *(_kilobytes(totals["dense_bytes"]), _kilobytes(totals["encoded_bytes"])),
    ]
    for name, foot in zip(_HEADER, footer, strict=True):
        table.add_column(
            name, foot, justify="left" if name == "layer" else "right", overflow="fold"
        )
    if noted:
        table.add_column("note", overflow="fold")
    for layer in found.layers:
        table.add_row(*_cells(layer), *([layer.note] if noted else []))
    if found.untraced:
        table.caption = "Not traced, so their channels stay in place:\n" + "\n".join(
            found.untraced
        )
        table.caption_justify = "left"
    return table


def _cells(layer: LayerSummary) -> Sequence[str]:
    return (
        layer.name,
        "×".join(map(str, layer.kernel_shape)),
        "–" if layer.n is None else str(layer.n),
        f"{layer.sparsity:.0%}",
        f"{layer.fill:.0%}",
        _millions(layer.macs),
        _millions(layer.nonzero_macs),
        _kilobytes(layer.dense_bytes),
        _kilobytes(layer.encoded_bytes),
    )


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.2f} M"


def _kilobytes(size: int) -> str:
    return f"{size / 1e3:.1f}"
