"""What all pictures share: colours for a light and a dark page, and SVG output."""

import dataclasses
import io

import matplotlib
import matplotlib.colors
import matplotlib.figure
import numpy as np

# a phone shows this width at its own size, so that text stays readable
WIDTH_INCHES = 5.2


@dataclasses.dataclass(frozen=True)
class Theme:
    """Colours on one background; the palette is Okabe and Ito's, safe for colour blind.

    Attributes:
      name: "light" or "dark".
      text: of letters and lines.
      faint: of what was pruned, and of grids.
      weights: least and greatest magnitude of a kept weight.
      palette: to tell curves and groups apart.
      on_palette: of text on a patch of the palette.
    """

    name: str
    text: str
    faint: str
    weights: tuple[str, str]
    palette: tuple[str, ...]
    on_palette: str


THEMES = (
    Theme(
        "light",
        "#24292f",
        "#e6e8ea",
        ("#b9d7ee", "#08306b"),
        ("#0072b2", "#d55e00", "#00785a", "#a6447f", "#6b5b00"),
        "#ffffff",
    ),
    Theme(
        "dark",
        "#dfe3e8",
        "#3b4048",
        ("#2f5d85", "#d3ecff"),
        ("#56b4e9", "#f0a05a", "#2fc79b", "#e59cc4", "#f0e442"),
        "#14181d",
    ),
)


def new_figure(
    theme: Theme, height: float, layout: str = "constrained"
) -> matplotlib.figure.Figure:
    """Returns an empty figure of the common width, ``height`` inches tall."""
    settings = {
        "font.size": 9.5,
        "text.color": theme.text,
        "axes.edgecolor": theme.text,
        "axes.labelcolor": theme.text,
        "axes.titlecolor": theme.text,
        "axes.titlesize": 9.5,
        "axes.facecolor": "none",
        "xtick.color": theme.text,
        "ytick.color": theme.text,
        "svg.hashsalt": "picture",
    }
    matplotlib.rcParams.update(settings)
    return matplotlib.figure.Figure((WIDTH_INCHES, height), layout=layout)


def to_svg(figure: matplotlib.figure.Figure) -> str:
    """Returns a figure as SVG on a transparent background, the same each time."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return text.getvalue()


def show_kernel(axes, theme: Theme, kernel_io: np.ndarray, mask_io: np.ndarray) -> None:
    """Draws the magnitudes of a kernel ``[in, out]``; pruned weights are faint."""
    shades = matplotlib.colors.LinearSegmentedColormap.from_list("", theme.weights)
    shades = shades.with_extremes(bad=theme.faint)
    magnitudes = np.ma.masked_array(np.abs(kernel_io), ~mask_io)
    brightest = np.percentile(np.abs(kernel_io), 98)
    axes.imshow(magnitudes, shades, vmin=0, vmax=brightest, interpolation="none")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def kept_share(kernel: np.ndarray, mask: np.ndarray) -> float:
    """Returns the share of a kernel's l1 norm that a mask keeps."""
    return float(np.abs(kernel[mask]).sum() / np.abs(kernel).sum())
