"""Prints what pruning has done to a model or a file, layer by layer."""

import dataclasses
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from tfmot_onexn.tflite import constraints, inventory
from tfmot_onexn.tflite.inventory import LayerSummary, Summary


def summary(
    model_or_path: Any,
    dense: Any = None,
    console: rich.console.Console | None = None,
) -> Summary:
    """Prints a table of a model's kernels: blocks, zeros, MACs, bytes and verdicts.

    Args:
      model_or_path: a `tf_keras` model, wrapped or not, or the path of a `.tflite`.
      dense: the model or file that it was pruned from, to show how much of each
        kernel's l1 norm is left. The order of filters does not matter to it. After
        fine-tuning it may exceed 1.
      console: where to print; the standard output if None.

    Returns:
      What the table shows.

    Raises:
      ValueError: if a file is damaged, or ``dense`` does not fit the model.
    """
    found = inventory.read(model_or_path)
    if dense is not None:
        found = with_dense(found, inventory.read(dense))
    if console is None:
        own_width = sys.stdout.isatty() or "COLUMNS" in os.environ
        console = rich.console.Console(width=None if own_width else _FILE_WIDTH)
    show(found, console)
    return found


def show(found: Summary, console: rich.console.Console) -> None:
    """Prints a summary: the table of kernels, and remarks."""
    console.print(_table(found), _remarks(found))


def with_dense(found: Summary, dense: Summary) -> Summary:
    """Returns a summary with the l1 norms of the model that it was pruned from.

    Kernels are matched by the names of their layers, those of two files by their order.

    Raises:
      ValueError: if the dense model has other kernels.
    """
    if found.kind != dense.kind:
        raise ValueError(
            f"{dense.name} and {found.name} cannot be compared: converting folds batch "
            "normalization into kernels. Give two .tflite files or two Keras models."
        )
    if found.kind == "keras":
        by_name = {layer.name: layer for layer in dense.layers}
        others = [by_name.get(layer.name) for layer in found.layers]
    else:
        others = [*dense.layers, *[None] * len(found.layers)][: len(found.layers)]
    layers = []
    for layer, other in zip(found.layers, others, strict=True):
        if other is None or other.kernel_shape != layer.kernel_shape:
            there = "is missing" if other is None else f"is {_shape(other)}"
            raise ValueError(
                f"{dense.name} is not what {found.name} was pruned from: the kernel of "
                f"{layer.name} {there} there, expected {_shape(layer)}. Give the dense "
                "model with the same layers, before any filter was removed."
            )
        layers.append(dataclasses.replace(layer, dense_l1=other.l1))
    return dataclasses.replace(found, layers=tuple(layers))


# of the table where the output is no terminal
_FILE_WIDTH = 120
# of names in a remark
_SHORT = 60


def _table(found: Summary) -> rich.table.Table:
    total = found.totals()
    table = rich.table.Table(
        title=_text(
            f"{found.name}: {total['kernels']} kernels, "
            f"{total['pruned_kernels']} of them pruned"
        ),
        title_justify="left",
        title_style="bold",
        box=rich.box.SIMPLE_HEAD,
        padding=0,
        show_footer=True,
        pad_edge=False,
    )
    differing = [
        runtime
        for runtime in found.verdicts
        if len({layer.verdicts[runtime].word for layer in found.layers}) > 1
        # of a model it is unknown wherever there are zeros
        and (runtime != inventory.DELEGATE or found.kind == "tflite")
    ]
    with_dense = any(layer.dense_l1 is not None for layer in found.layers)
    columns = [
        ("kernel", ""),
        ("n", ""),
        ("zeros", _percent(total["sparsity"])),
        ("fill", ""),
        *([("kept ℓ1", _percent(total["pruned_kept_l1"]))] if with_dense else []),
        ("MMACs", _millions(total["macs"])),
        ("non-zero", _millions(total["nonzero_macs"])),
        ("kB", _kilobytes(total["dense_bytes"])),
        ("stored", _kilobytes(total["encoded_bytes"])),
        *((runtime, "") for runtime in differing),
    ]
    table.add_column("layer", "total", overflow="fold")
    for name, footer in columns:
        table.add_column(name, footer, justify="right", no_wrap=True)
    for layer in found.layers:
        table.add_row(
            _text(layer.name),
            _shape(layer),
            "–" if layer.n is None else str(layer.n),
            _percent(layer.sparsity),
            _percent(None if layer.n is None else layer.fill),
            *([_percent(layer.kept_l1)] if with_dense else []),
            _millions(layer.macs),
            _millions(layer.nonzero_macs),
            _kilobytes(layer.dense_bytes),
            _kilobytes(layer.encoded_bytes),
            *(layer.verdicts[runtime].word for runtime in differing),
        )
    return table


def _remarks(found: Summary) -> rich.table.Table:
    """Returns what stands below the table, one line for each thing to tell."""
    grid = rich.table.Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column()
    before = None
    for topic, line in _lines(found):
        grid.add_row("" if topic == before else topic, _text(line))
        before = topic
    return grid


def _lines(found: Summary) -> Iterator[tuple[str, str]]:
    total, pruned = found.totals(), found.pruned
    if pruned:
        line = f"{_percent(total['pruned_sparsity'])} of the pruned kernels, "
        line += f"{_percent(total['sparsity'])} of all"
        if total["pruned_kept_l1"] is not None:
            line += f"; {_percent(total['pruned_kept_l1'])} of the pruned kernels' ℓ1"
            line += " norm is left"
        yield "zeros", line
    for runtime in found.verdicts:
        told = [
            (layer.name, layer.verdicts[runtime])
            for layer in found.layers
            if layer.n is not None or layer.verdicts[runtime].word != constraints.DENSE
        ]
        for verdict, names in _grouped(told):
            yield f"{runtime} {verdict.word}", f"{_listed(names)}: {verdict.reason}"
    for topic, field in (("in place", "pinned"), ("not removable", "kept")):
        of_layers = [(layer.name, getattr(layer, field)) for layer in found.layers]
        for reasons, names in _grouped((n, r) for n, r in of_layers if r):
            more = f"; and {len(reasons) - 1} more" if len(reasons) > 1 else ""
            yield topic, f"{_listed(names)}: {reasons[0]}{more}"
    of_layers = [(layer.name, note) for layer in found.layers for note in layer.notes]
    for note, names in _grouped(of_layers):
        yield "blocks", f"{_listed(names)}: {note}"
    unknown = [layer.name for layer in found.layers if layer.macs is None]
    if unknown:
        yield "MACs", f"{_listed(unknown)}: not known without the size of the input"
    for line in found.untraced:
        yield "not traced", f"{line}: its channels stay in place"
    if found.unlisted:
        yield "not listed", _listed(found.unlisted, "layers with weights")


def _grouped(items: Iterable[tuple[str, Any]]) -> list[tuple[Any, list[str]]]:
    """Collects names by what is said of them."""
    groups: dict[Any, list[str]] = {}
    for name, said in items:
        groups.setdefault(said, []).append(name)
    return list(groups.items())


def _listed(names: Sequence[str], kind: str = "kernels") -> str:
    if len(names) <= 4 and len(", ".join(names)) <= _SHORT:
        return ", ".join(names)
    shown = ", ".join(names[:2])
    if len(names) == 1 or len(shown) > _SHORT:
        shown = names[0]
    return shown if len(names) == 1 else f"{len(names)} {kind} ({shown}, …)"


def _text(line: str) -> rich.text.Text:
    """Returns a line that may hold a file's names: no markup, nothing that steers."""
    return rich.text.Text("".join(c if c.isprintable() else "�" for c in line))


def _shape(layer: LayerSummary) -> str:
    return "×".join(map(str, layer.kernel_shape))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _millions(count: int | None) -> str:
    return "–" if count is None else f"{count / 1e6:.2f}"


def _kilobytes(size: int) -> str:
    return f"{size / 1e3:.1f}"
