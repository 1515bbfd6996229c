"""How much of the weights' l1 norm 1xN pruning keeps, by way of rearrangement.

For each network, N and sparsity: the share kept without rearrangement, with each
method of `sparsity.permutation`, and by weight pruning, which bounds them all. The
gain of a method is what it keeps more than no rearrangement, over what the paper's
sort (l1) does.

Run as ``python -m tfmot_onexn.experiments.kept_saliency [NETWORK=WEIGHTS.npz ...]``.
"""

import argparse
import time
from collections.abc import Sequence

import numpy as np
import rich.console
import rich.table

from tfmot_onexn.benchmark import machine
from tfmot_onexn.graph import orders, tracing
from tfmot_onexn.networks import models
from tfmot_onexn.pruning import policy
from tfmot_onexn.sparsity import masks, permutation

WAYS = ("none", *permutation.METHODS, "weights")


def groups(name: str, weights: str, alpha: float) -> list[list[np.ndarray]]:
    """Returns the kernels of each channel group of a network that would be pruned."""
    model = models.build(name, weights, alpha=alpha)
    chosen = {id(leaf) for leaf in policy.chosen_layers(model, policy.PrunePointwise())}
    found = [
        orders.producing_kernels(group, lambda layer: id(layer) in chosen)
        for group in tracing.trace(model).groups
        if not group.pinned
    ]
    return [kernels for kernels in found if kernels]


def kept(
    network: list[list[np.ndarray]], n: int, sparsity: float, way: str
) -> tuple[float, float]:
    """Returns the share of the l1 norm kept over a network, and the seconds it took."""
    start = time.perf_counter()
    kept_sum = total = 0.0
    for kernels in network:
        norm = sum(float(np.abs(kernel).sum()) for kernel in kernels)
        total += norm
        if way == "weights":
            kept_sum += sum(
                float(np.abs(kernel[masks.weight_mask(kernel, sparsity)]).sum())
                for kernel in kernels
            )
            continue
        order = None
        if way != "none":
            order = permutation.search(kernels, n, sparsity, way)
        kept_sum += norm * permutation.kept_saliency(kernels, n, sparsity, order=order)
    return kept_sum / total, time.perf_counter() - start


def main(argv: Sequence[str] | None = None) -> None:
    """Searches and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "networks",
        nargs="*",
        default=["mobilenet_v2=random"],
        help="NETWORK=WEIGHTS, as mobilenet:0.75=weights.npz",
    )
    arguments = parser.parse_args(argv)
    table = rich.table.Table(title="Share of the l1 norm kept by 1×N pruning")
    for column in ("network", "N", "p", *WAYS, "assignment ÷ l1", "swaps ÷ l1", "s"):
        first = column == "network"
        table.add_column(column, justify="left" if first else "right", no_wrap=first)
    for text in arguments.networks:
        label, _, weights = text.partition("=")
        name, _, alpha = label.partition(":")
        network = groups(name, weights or "random", float(alpha or 1.0))
        for n in (4, 16):
            for sparsity in (0.5, 0.75):
                table.add_row(label, *_cells(network, n, sparsity))
    console = rich.console.Console(width=110)
    console.print(table)
    console.print(machine.one_line(machine.describe()), highlight=False)


def _cells(network: list[list[np.ndarray]], n: int, sparsity: float) -> list[str]:
    found = {way: kept(network, n, sparsity, way) for way in WAYS}
    shares = {way: share for way, (share, _) in found.items()}
    gains = {way: shares[way] - shares["none"] for way in permutation.METHODS}
    return [
        str(n),
        f"{sparsity:.2f}",
        *(f"{shares[way]:.4f}" for way in WAYS),
        f"{gains['assignment'] / gains['l1']:.2f}",
        f"{gains['swaps'] / gains['l1']:.2f}",
        f"{found['swaps'][1]:.1f}",
    ]


if __name__ == "__main__":
    main()
