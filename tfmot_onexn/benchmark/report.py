"""Shows rows as a table, a picture, a page and JSON."""

import base64
import importlib.resources
import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2
import rich.console
import rich.table

from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark import pictures
from tfmot_onexn.benchmark.rows import Agreement, Row, to_json
from tfmot_onexn.networks import files

DELEGATE = (
    "Without the delegate a 1×N file runs at dense speed on x86: XNNPACK, the CPU "
    "backend of every TFLite runtime, restores the zeros when it loads the file and "
    "multiplies them too. Its sparse kernels are switched off on x86 processors with "
    "AVX; on ARM64 they start above two thirds zeros. In rows marked “+ delegate” this "
    "package's delegate computes the 1×N layers, and XNNPACK the others."
)

TVM = (
    "Rows marked “in TVM” or “as a TVM plan” are builds of the same .tflite, with "
    "kernels that skip zero blocks: a shared library for TVM's virtual machine, and a "
    "plan, which runs without TVM. Weight-pruned files become CSR kernels there, with "
    "blocks of n = 1, but for layers of so few zeros that they stay dense; "
    "filter-pruned ones are smaller dense networks."
)

FILTER_MACS = (
    "Filter pruning at the same sparsity p removes more work: a layer loses the share "
    "p of its outputs and of its inputs, so that (1 − p)² of its multiply-accumulates "
    "is left, a quarter at 50 %, in a smaller dense network."
)

HEADER = ("variant", "top-1", "zeros", "MMACs", "MB", "ms (p10–p90)", "speedup")


def cells(row: Row) -> tuple[str, ...]:
    """Returns a row as text, one cell per entry of `HEADER`."""
    if row.status == "failed":
        return (row.label, *["–"] * (len(HEADER) - 2), f"failed: {row.error}")
    mark = " noisy" if row.status == "noisy" else ""
    time = _text(
        row.median_ms,
        lambda ms: f"{ms:.2f} ({row.p10_ms:.2f}–{row.p90_ms:.2f}){mark}",
    )
    return (
        row.label,
        _text(row.top1, lambda share: f"{100 * share:.1f} %"),
        _text(row.sparsity, lambda share: f"{100 * share:.0f} %"),
        _text(row.nonzero_macs, lambda macs: f"{macs / 1e6:.0f}"),
        _text(row.size_bytes, lambda size: f"{size / 1e6:.2f}"),
        _emulated(row) if row.emulated else time,
        _text(row.speedup, lambda ratio: f"{ratio:.2f}×"),
    )


def _emulated(row: Row) -> str:
    off = "" if row.difference is None else f", {row.difference:.0e} off"
    return f"runs (emulated){off}"


def _text(value: Any, form) -> str:
    return "–" if value is None else form(value)


def show(console: rich.console.Console, title: str, rows: Sequence[Row]) -> None:
    """Prints rows as a table."""
    # labels tell what TVM runs
    several = len({row.runtime for row in rows if not row.in_tvm}) > 1
    networks = [(row.name, row.sparsity) for row in rows]
    ends = [before != after for before, after in itertools.pairwise([*networks, None])]
    header = (*HEADER, "runtime") if several else HEADER
    table = rich.table.Table(title=title, title_justify="left")
    for name in header:
        table.add_column(name, justify="left" if name == "variant" else "right")
    for row, is_last in zip(rows, ends, strict=True):
        table.add_row(
            *cells(row),
            *([row.runtime or "–"] if several else []),
            # a line below the last row of a network that runs in several ways
            end_section=is_last and not all(ends),
        )
    console.print(table)


def show_agreement(
    console: rich.console.Console, agreements: Sequence[Agreement]
) -> None:
    """Prints whether each file computes what its Keras model does."""
    table = rich.table.Table(
        title="Agreement on the last feature map, max|a − b| / max|b|",
        title_justify="left",
    )
    table.add_column("variant")
    table.add_column("file and its model", justify="right")
    table.add_column("file and the dense model", justify="right")
    table.add_column("")
    for each in agreements:
        table.add_row(
            each.label,
            f"{each.error:.1e}",
            f"{each.dense_error:.1e}",
            "ok" if each.passed else "DIFFERS",
        )
    console.print(table)


def write(
    directory: pathlib.Path,
    title: str,
    machine: dict[str, Any],
    rows: Sequence[Row],
    *,
    notes: Sequence[str] = (),
    documented: Sequence[Row] | None = None,
    draw: Callable[[Sequence[Row]], bytes] = pictures.bars,
    **more: Any,
) -> list[pathlib.Path]:
    """Writes ``report.json``, ``report.png`` and a self-contained ``report.html``.

    Args:
      directory: made if missing.
      title: of the page.
      machine: from `machine.describe`.
      rows: what table and picture show.
      notes: paragraphs for the page.
      documented: the rows of the JSON document; ``rows`` if None.
      draw: of `pictures`, draws the rows.
      **more: further entries of the JSON document.

    Returns:
      The paths written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    picture = draw(rows)
    page = html(
        title,
        [{"title": "", "header": HEADER, "rows": [cells(row) for row in rows]}],
        picture,
        "Latency, size and accuracy of each variant",
        notes,
        machine_lib.one_line(machine),
    )
    document = to_json(machine, rows if documented is None else documented, **more)
    contents = {
        "report.json": document.encode(),
        "report.png": picture,
        "report.html": page.encode(),
    }
    for name, content in contents.items():
        files.write(directory / name, content)
    return [directory / name for name in contents]


def html(
    title: str,
    tables: Sequence[Mapping[str, Any]],
    picture: bytes,
    shown: str,
    notes: Sequence[str],
    machine: str,
) -> str:
    """Returns a page that needs no other file.

    Args:
      title: of the page.
      tables: each with a ``title``, perhaps empty, a ``header`` and ``rows`` of text.
      picture: a PNG.
      shown: what the picture shows.
      notes: paragraphs below it.
      machine: where the numbers come from.
    """
    source = importlib.resources.files(__package__).joinpath("report.html.jinja")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(source.read_text("utf-8")).render(
        title=title,
        tables=tables,
        picture=base64.b64encode(picture).decode(),
        shown=shown,
        notes=notes,
        machine=machine,
    )
