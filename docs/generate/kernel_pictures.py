"""Pictures of one kernel: its masks, its rearrangement, its arrays in a file."""

from collections.abc import Callable

import matplotlib.patches
import numpy as np
import small_network
from drawing import Theme, kept_share, new_figure, show_kernel, to_svg

from tfmot_onexn.sparsity import bsr, masks, permutation

SPARSITY = 0.5


def patterns(theme: Theme) -> str:
    """Draws what weight, 1x4 and filter pruning keep of one kernel."""
    kernel = small_network.kernel("expand")
    filters = masks.filter_mask([kernel], SPARSITY)
    shown = {
        "dense": np.ones(kernel.shape, bool),
        "single weights": masks.weight_mask(kernel, SPARSITY),
        "1×4 blocks": masks.block_mask(kernel, 4, SPARSITY),
        "filters": np.broadcast_to(filters, kernel.shape),
    }
    figure = new_figure(theme, 3.05)
    for axes, (name, mask) in zip(
        figure.subplots(2, 2).flat, shown.items(), strict=True
    ):
        show_kernel(axes, theme, kernel, mask)
        share = "" if mask.all() else f": {kept_share(kernel, mask):.0%} of ℓ1"
        axes.set_title(name + share)
    figure.supxlabel("output channels", fontsize=9.5)
    figure.supylabel("input channels", fontsize=9.5)
    return to_svg(figure)


def rearranged(theme: Theme) -> str:
    """Draws the 1x4 mask of one kernel before and after its filters are reordered."""
    kernel = small_network.kernel("expand")
    count = kernel.shape[1]
    orders = {
        "as trained": np.arange(count),
        "sorted by ℓ1 norm (l1)": permutation.search([kernel], 4, SPARSITY, "l1"),
        "searched (swaps)": permutation.search([kernel], 4, SPARSITY, "swaps"),
    }
    figure = new_figure(theme, 6.8)
    figure.get_layout_engine().set(h_pad=0.06)
    rows = figure.subplots(6, 1, height_ratios=[1.4, 24] * 3)
    pairs = zip(rows[::2], rows[1::2], strict=True)
    for (strip, axes), (name, order) in zip(pairs, orders.items(), strict=True):
        moved = kernel[:, order]
        mask = masks.block_mask(moved, 4, SPARSITY)
        strip.imshow(order[None], "cividis", aspect="auto", interpolation="none")
        strip.set_axis_off()
        strip.set_title(f"{name}: {kept_share(moved, mask):.1%} of ℓ1 kept")
        show_kernel(axes, theme, moved, mask)
        axes.set_aspect("auto")
    rows[-1].set_xlabel("output channels; the strip shows where each stood at first")
    return to_svg(figure)


def encoded(theme: Theme) -> str:
    """Draws the corner of a kernel, pruned in 1x4 blocks, and its BSR arrays."""
    corner = np.round(small_network.kernel("expand")[:6, :8], 2)
    pruned = corner * masks.block_mask(corner, 4, SPARSITY)
    arrays = bsr.encode(pruned, 4)
    rows = np.repeat(np.arange(arrays.indptr.size - 1), np.diff(arrays.indptr))
    figure = new_figure(theme, 4.9, layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-1.2, 9.2)
    axes.set_ylim(17.0, -1.6)

    def cell(x: float, y: float, text: str, row: int | None) -> None:
        colour = theme.faint if row is None else theme.palette[row]
        box = matplotlib.patches.Rectangle((x, y), 0.94, 0.9, color=colour, lw=0)
        axes.add_patch(box)
        ink = theme.text if row is None else theme.on_palette
        axes.text(
            x + 0.47, y + 0.47, text, color=ink, fontsize=8, ha="center", va="center"
        )

    def label(x: float, y: float, text: str, side: str = "left") -> None:
        axes.text(x, y, text, ha=side, va="center", fontsize=9.5)

    label(0, -1.1, f"kernel [{corner.shape[0]} in, {corner.shape[1]} out], n = 4")
    for i, k in np.ndindex(*pruned.shape):
        row = k // 4 if pruned[i, k] else None
        cell(k, i, f"{pruned[i, k]:.2f}" if pruned[i, k] else "0", row)
    for i in range(corner.shape[0]):
        label(-0.25, i + 0.45, str(i), "right")
    for row in range(2):
        axes.text(4 * row + 2, 6.4, f"block row {row}", ha="center", va="center")
    top = 8.9
    label(0, top - 0.7, f"data [{rows.size}, 4]")
    label(5, top - 0.7, "indices")
    label(7, top - 0.7, "indptr")
    for z, (block, index) in enumerate(zip(arrays.data, arrays.indices, strict=True)):
        for k, value in enumerate(block):
            cell(k, top + z, f"{value:.2f}", rows[z])
        cell(5, top + z, str(index), rows[z])
        label(-0.25, top + z + 0.45, str(z), "right")
    for place, start in enumerate(arrays.indptr):
        cell(7, top + place, str(start), place if place < 2 else None)
    return to_svg(figure)


def kept_norm(theme: Theme) -> str:
    """Draws the l1 norm kept over the sparsity, for several N and for filters."""
    sparsities = np.linspace(0.1, 0.9, 9)
    as_trained = {
        "N = 1: single weights": _shares(sparsities, lambda k, p: _blocks(k, 1, p)),
        "N = 4": _shares(sparsities, lambda k, p: _blocks(k, 4, p)),
        "N = 16": _shares(sparsities, lambda k, p: _blocks(k, 16, p)),
        "filters": _shares(sparsities, lambda k, p: k[:, masks.filter_mask([k], p)]),
    }
    rearranged = {
        f"N = {n}": _shares(
            sparsities, lambda k, p, n=n: _blocks(_ordered(k, n, p), n, p)
        )
        for n in (4, 16)
    }
    figure = new_figure(theme, 3.9)
    axes = figure.subplots()
    for (name, low), colour, marker in zip(
        as_trained.items(), theme.palette, "os^x", strict=False
    ):
        axes.plot(sparsities, low, marker, ls="-", ms=4, color=colour, label=name)
        high = rearranged.get(name, low)
        axes.fill_between(sparsities, low, high, color=colour, alpha=0.35, lw=0)
    axes.set(xlabel="sparsity p", ylabel="share of the ℓ1 norm kept")
    axes.set(xlim=(0.08, 0.92), ylim=(0, 1.02))
    axes.grid(color=theme.faint, lw=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return to_svg(figure)


def _shares(sparsities: np.ndarray, kept: Callable) -> list[float]:
    """Returns the share of the l1 norm of all 1x1 kernels that stays, for each p."""
    kernels = [small_network.kernel(name) for name in small_network.POINTWISE]
    total = sum(np.abs(kernel).sum() for kernel in kernels)
    return [
        float(sum(np.abs(kept(kernel, p)).sum() for kernel in kernels) / total)
        for p in sparsities
    ]


def _blocks(kernel: np.ndarray, n: int, sparsity: float) -> np.ndarray:
    return kernel[masks.block_mask(kernel, n, sparsity)]


def _ordered(kernel: np.ndarray, n: int, sparsity: float) -> np.ndarray:
    return kernel[:, permutation.search([kernel], n, sparsity)]
