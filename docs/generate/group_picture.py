"""Draws which weights share an order of channels, from what `trace` finds."""

import matplotlib.lines
import matplotlib.patches
import small_network
from drawing import WIDTH_INCHES, Theme, new_figure, to_svg

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import tracing

# inches
_ROW = 0.36
_LAYERS_END = 2.0
_CHIP = 0.72
_SHORT = {
    "moving_mean": "mean",
    "moving_variance": "variance",
    "depthwise_kernel": "kernel",
}
_ROLES = {cg.INPUT: "in", cg.OUTPUT: "out"}


def groups(theme: Theme) -> str:
    """Draws the layers of the small network and the weight axes of each group."""
    model = small_network.trained()
    graph = tracing.trace(model)
    free = [group for group in graph.groups if not group.pinned]
    colour_of = dict(zip(map(id, free), theme.palette, strict=False))
    height = _ROW * len(model.layers) + 0.4
    figure = new_figure(theme, height, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH_INCHES)
    axes.set_ylim(height - 0.55, -0.55)
    row_of = {id(layer): row for row, layer in enumerate(model.layers)}

    def patch(x: float, row: int, width: float, text: str, colour: str | None) -> None:
        axes.add_patch(
            matplotlib.patches.FancyBboxPatch(
                (x, row * _ROW - 0.1),
                width,
                0.2,
                boxstyle="round,pad=0,rounding_size=0.05",
                fc=colour or theme.faint,
                lw=0,
            )
        )
        ink = theme.on_palette if colour else theme.text
        axes.text(
            x + width / 2,
            row * _ROW,
            text,
            color=ink,
            fontsize=8,
            ha="center",
            va="center_baseline",
        )

    for layer in model.layers:
        row = row_of[id(layer)]
        patch(0.75, row, _LAYERS_END - 0.75, layer.name, None)
        for source in _sources(layer):
            _arrow(axes, theme, row_of[id(source)], row)
    chips_in: dict[int, int] = {}
    for axis in graph.axes:
        row = row_of[id(axis.layer)]
        place = chips_in.setdefault(row, 0)
        chips_in[row] += 1
        group = next(g for g in graph.groups if any(m.axis is axis for m in g.members))
        x = _LAYERS_END + 0.12 + place * (_CHIP + 0.06)
        patch(x, row, _CHIP, _label(axis), colour_of.get(id(group)))
    for place, group in enumerate(free):
        text = f"{group.size} channels"
        patch(0.75 + place * 1.15, -1, 1.05, text, colour_of[id(group)])
    patch(0.75 + len(free) * 1.15, -1, 0.9, "pinned", None)
    return to_svg(figure)


def _sources(layer) -> list:
    """Returns the layers whose outputs a layer reads."""
    (node,) = layer.inbound_nodes
    sources = node.inbound_layers
    return sources if isinstance(sources, list) else [sources]


def _label(axis: cg.WeightAxis) -> str:
    name = axis.layer.weights[axis.weight].name.split("/")[-1].split(":")[0]
    return " ".join([_SHORT.get(name, name), _ROLES.get(axis.role, "")]).strip()


def _arrow(axes, theme: Theme, start: int, end: int) -> None:
    """Draws a call's input: straight down to the next row, else round the left."""
    top, bottom = start * _ROW, end * _ROW
    if end == start + 1:
        ends, bend = ((1.37, top + 0.1), (1.37, bottom - 0.1)), "arc3"
    else:
        ends, bend = ((0.73, top), (0.73, bottom)), "arc3,rad=0.22"
    axes.add_patch(
        matplotlib.patches.FancyArrowPatch(
            *ends,
            connectionstyle=bend,
            arrowstyle="-|>",
            mutation_scale=7,
            shrinkA=0,
            shrinkB=0,
            lw=1.1,
            color=theme.text,
        )
    )
