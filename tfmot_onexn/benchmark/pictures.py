"""Pictures of rows: one bar for each, or variants side by side in each runtime."""

import io
from collections.abc import Callable, Iterable, Sequence

import matplotlib.axes
import matplotlib.figure

from tfmot_onexn.benchmark.rows import Row

# of variants: told apart without red and green; dense is grey
_COLOURS = ("#999999", "#e69f00", "#56b4e9", "#0072b2", "#009e73", "#cc79a7")
_RUNTIMES = {"tvm_vm": "TVM", "tvm_plan": "TVM plan", "litert": "LiteRT"}
_FORMATS = {"tvm_vm": "TVM library", "tvm_plan": "TVM plan"}
_BAR_INCHES = 0.21

# what a panel shows: its title, the group of a row, and the row's value
Quantity = tuple[str, Callable[[Row], str], Callable[[Row], float | None]]


def bars(rows: Sequence[Row]) -> bytes:
    """Draws one panel of bars for each of latency, size and accuracy that is known.

    Returns:
      A picture in PNG.
    """
    panels = {
        "median latency, ms (p10 to p90)": [row.median_ms for row in rows],
        "size, MB": [row.size_bytes and row.size_bytes / 1e6 for row in rows],
        "top-1, %": [row.top1 and 100 * row.top1 for row in rows],
    }
    panels = {name: values for name, values in panels.items() if any(values)}
    width, height = 3.6 * max(1, len(panels)) + 1.4, 0.45 * len(rows) + 1.6
    figure = matplotlib.figure.Figure((width, height), layout="constrained")
    several = len({row.sparsity for row in rows}) > 2
    labels = [row.label_at_sparsity if several else row.label for row in rows]
    for index, (name, values) in enumerate(panels.items()):
        axes = figure.add_subplot(1, len(panels), index + 1)
        lengths = [value or 0 for value in values]
        spread = _spread(rows) if "latency" in name else None
        places = range(len(rows))
        drawn = axes.barh(places, lengths, xerr=spread, color="#4c78a8", capsize=3)
        axes.set_yticks(places, labels)
        texts = ["–" if value is None else f"{value:.2f}" for value in values]
        axes.bar_label(drawn, texts, padding=5)
        axes.invert_yaxis()
        axes.tick_params(labelleft=index == 0)
        axes.set_xlim(0, 1.25 * max(lengths))
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


def compared(rows: Sequence[Row]) -> bytes:
    """Draws variants side by side: a column of panels for each sparsity.

    Latency stands by runtime, size by kind of file, and top-1 where it is known. The
    dense variant is in all columns; a dashed line is its latency in stock TFLite.

    Returns:
      A picture in PNG.
    """
    return png(_compared(rows))


def _compared(rows: Sequence[Row]) -> matplotlib.figure.Figure:
    quantities: list[Quantity] = [
        (
            "median latency, ms, and speed-up over dense",
            _runtime,
            lambda row: row.median_ms,
        ),
        ("size, MB", _format, lambda row: row.size_bytes and row.size_bytes / 1e6),
        ("top-1, %", lambda row: "", lambda row: row.top1 and 100 * row.top1),
    ]
    quantities = [each for each in quantities if any(map(each[2], rows))]
    columns = _unique(row.sparsity for row in rows if row.sparsity) or [0.0]
    colours = dict(zip(_unique(row.name for row in rows), _COLOURS * 9, strict=False))
    heights = [
        _BAR_INCHES * len(colours) * len({group(row) for row in rows}) + 0.4
        for _, group, _ in quantities
    ]
    figure = matplotlib.figure.Figure(
        (3.6 * len(columns) + 1.2, sum(heights) + 0.8), layout="constrained"
    )
    panels = figure.subplots(
        len(quantities),
        len(columns),
        squeeze=False,
        sharex="row",
        sharey="row",
        height_ratios=heights,
    )
    for line, quantity in enumerate(quantities):
        for column, sparsity in enumerate(columns):
            axes = panels[line, column]
            shown = [row for row in rows if row.sparsity in (None, 0.0, sparsity)]
            _panel(axes, shown, quantity, colours)
            axes.set_xlabel(quantity[0])
            if sparsity and line == 0:
                axes.set_title(f"p = {100 * sparsity:g} %", fontsize=11)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        *(handles, labels), loc="outside upper center", ncols=len(labels), frameon=False
    )
    return figure


def _panel(
    axes: matplotlib.axes.Axes,
    rows: Sequence[Row],
    quantity: Quantity,
    colours: dict[str, str],
) -> None:
    name, group_of, value_of = quantity
    is_latency = "latency" in name
    groups = _unique(map(group_of, rows))
    height = 0.84 / len(colours)
    for index, (variant, colour) in enumerate(colours.items()):
        of_variant: dict[str, Row] = {}
        for row in rows:
            if row.name == variant:
                of_variant.setdefault(group_of(row), row)
        own = list(of_variant.values())
        values = [value_of(row) for row in own]
        middle = height * (index - (len(colours) - 1) / 2)
        places = [groups.index(group) + middle for group in of_variant]
        drawn = axes.barh(
            places,
            [value or 0 for value in values],
            0.92 * height,
            label=variant,
            color=colour,
            xerr=_spread(own) if is_latency else None,
            error_kw={"elinewidth": 0.8},
        )
        texts = [
            _text(row, value, is_latency)
            for row, value in zip(own, values, strict=True)
        ]
        written = axes.bar_label(drawn, texts, padding=4, fontsize=7)
        for text in written:
            # the line of the base ends before it
            text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.8})
    axes.set_yticks(range(len(groups)), groups)
    # the first group is at the top of all panels that share the axis
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.margins(x=0.35)
    axes.spines[["top", "right"]].set_visible(False)
    base = next((row.median_ms for row in rows if row.speedup == 1), None)
    if is_latency and base is not None:
        axes.axvline(base, color="#555555", linestyle="--", linewidth=0.8, zorder=0)


def _text(row: Row, value: float | None, is_latency: bool) -> str:
    if value is None:
        return "failed" if row.status == "failed" else "–"
    if is_latency and row.speedup is not None:
        return f"{value:.2f}  {row.speedup:.2f}×"
    return f"{value:.2f}"


def _runtime(row: Row) -> str:
    """Returns what computes a row, for people."""
    runtime = row.runtime or "–"
    plus = "\n+ delegate" if row.delegate else ""
    return _RUNTIMES.get(runtime, runtime) + plus


def _format(row: Row) -> str:
    return _FORMATS.get(row.runtime or "", ".tflite")


def _spread(rows: Sequence[Row]) -> list[list[float]]:
    """Returns how far p10 and p90 are from the median."""
    low = [(row.median_ms or 0) - (row.p10_ms or 0) for row in rows]
    high = [(row.p90_ms or 0) - (row.median_ms or 0) for row in rows]
    return [low, high]


def _unique(values: Iterable) -> list:
    return list(dict.fromkeys(values))


def png(figure: matplotlib.figure.Figure) -> bytes:
    """Returns a figure as PNG; no display is needed, or touched."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    image = io.BytesIO()
    figure.savefig(image, dpi=130, format="png")
    return image.getvalue()
