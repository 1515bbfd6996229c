"""What the pictures of all experiments share."""

from collections.abc import Sequence
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np

from tfmot_onexn.experiments.papers import statistics

# told apart without red and green
COLOURS = {
    "dense": "#999999",
    "weight": "#e69f00",
    "filter": "#cc79a7",
    "1×4": "#56b4e9",
    "1×16": "#0072b2",
    "subp": "#009e73",
}


def panels(
    count: int, size: tuple[float, float], *, down: bool = False, sharey: bool = False
) -> tuple[matplotlib.figure.Figure, list[matplotlib.axes.Axes]]:
    """Returns a figure and its axes, open above and at the right.

    Args:
      count: of axes, side by side.
      size: width and height of the figure in inches.
      down: one below the other instead.
      sharey: one scale for all.
    """
    figure = matplotlib.figure.Figure(size, layout="constrained")
    shape = (count, 1) if down else (1, count)
    found = list(figure.subplots(*shape, squeeze=False, sharey=sharey).flat)
    for axes in found:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, found


def legend_below(figure: matplotlib.figure.Figure, axes: matplotlib.axes.Axes) -> None:
    """Names what some axes show below all of the figure, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
    )


def top1_points(
    axes: matplotlib.axes.Axes,
    places: Sequence[float],
    top1: Sequence[Sequence[float]],
    **style: Any,
) -> None:
    """Draws a line through means over seeds, with their standard deviations.

    Args:
      axes: where.
      places: on the x axis.
      top1: at each place, one value for each seed.
      **style: of `Axes.errorbar`.
    """
    heights, spreads = _percents(top1)
    axes.errorbar(places, heights, spreads, marker="o", capsize=3, **style)
    axes.set_ylabel("top-1, %")


def top1_bars(
    axes: matplotlib.axes.Axes,
    places: Sequence[float],
    top1: Sequence[Sequence[float]],
    **style: Any,
) -> None:
    """Draws bars of means over seeds; see `top1_points`.

    Args:
      axes: where.
      places: on the x axis.
      top1: at each place, one value for each seed.
      **style: of `Axes.bar`.
    """
    heights, spreads = _percents(top1)
    axes.bar(places, heights, yerr=spreads, capsize=3, **style)
    axes.set_ylabel("top-1, %")


def beside(groups: int, index: int, of: int) -> list[float]:
    """Returns where one of several bars stands in each of some groups."""
    return [group + (index - (of - 1) / 2) * 0.8 / of for group in range(groups)]


def _percents(top1: Sequence[Sequence[float]]) -> tuple[list[float], list[float]]:
    means = [statistics.mean(values) for values in top1]
    # one seed has no spread, and so no whiskers
    spreads = np.nan_to_num([100 * mean.spread for mean in means])
    return [100 * mean.value for mean in means], spreads.tolist()
