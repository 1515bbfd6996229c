"""How much of the weights' l1 norm 1xN pruning keeps, by way of rearrangement.

For each network, N and sparsity: the share kept without rearrangement, with each
method of `sparsity.permutation`, and by weight pruning, which bounds them all. The
gain of a method is what it keeps more than no rearrangement, over what the paper's
sort (l1) does; "closed" is the gain of swaps over that of weight pruning, "CPU s" the
time that swaps took, summed over the processor's cores.

Run as ``python -m tfmot_onexn.experiments.kept_saliency [NETWORK=WEIGHTS.npz ...]``.
"""

import argparse
import time
from collections.abc import Sequence

import rich.console
import rich.table
import tf_keras

from tfmot_onexn.benchmark import machine
from tfmot_onexn.graph import rearrange
from tfmot_onexn.networks import models
from tfmot_onexn.pruning import policy
from tfmot_onexn.sparsity import permutation

WAYS = ("none", *permutation.METHODS, "weights")
_RATIOS = ("assignment ÷ l1", "swaps ÷ l1", "closed", "CPU s")


class Network:
    """A network, and the layers of it that would be pruned."""

    def __init__(self, model: tf_keras.Model):
        self.model = model
        chosen = policy.chosen_layers(model, policy.PrunePointwise())
        self._names = {layer.name for layer in chosen}

    def _prunable(self, layer: tf_keras.layers.Layer) -> bool:
        return layer.name in self._names

    def kept(
        self, n: int, sparsity: float, way: str, seconds: float | None = None
    ) -> tuple[dict[str, rearrange.Kept], float]:
        """Returns what each layer keeps, and the search's processor time in seconds."""
        start = time.process_time()
        model, n = self.model, 1 if way == "weights" else n
        if way in permutation.METHODS:
            model = rearrange.rearrange(
                model, n, sparsity, way, prunable=self._prunable, seconds=seconds
            )
        taken = time.process_time() - start
        kept = rearrange.kept_by_layer(model, n, sparsity, prunable=self._prunable)
        return kept, taken


def share(layers: dict[str, rearrange.Kept]) -> float:
    """Returns the share kept over all layers."""
    kept, total = (sum(values) for values in zip(*layers.values(), strict=True))
    return kept / total


def main(argv: Sequence[str] | None = None) -> None:
    """Searches and prints the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "networks",
        nargs="*",
        default=["mobilenet_v2=random"],
        help="NETWORK=WEIGHTS, as mobilenet:0.75=weights.npz",
    )
    parser.add_argument("--n", type=int, nargs="*", default=(4, 16))
    parser.add_argument("--sparsity", type=float, nargs="*", default=(0.5, 0.75))
    parser.add_argument("--seconds", type=float, help="time for each search")
    parser.add_argument("--layers", action="store_true", help="tell of each layer too")
    arguments = parser.parse_args(argv)
    console = rich.console.Console(width=130)
    table = _table("Share of the l1 norm kept by 1×N pruning", "network", *_RATIOS)
    for text in arguments.networks:
        label, _, weights = text.partition("=")
        name, _, alpha = label.partition(":")
        network = Network(
            models.build(name, weights or "random", alpha=float(alpha or 1.0))
        )
        for n in arguments.n:
            for sparsity in arguments.sparsity:
                found = {
                    way: network.kept(n, sparsity, way, arguments.seconds)
                    for way in WAYS
                }
                layers = {way: kept for way, (kept, _) in found.items()}
                pattern = (str(n), f"{sparsity:.2f}")
                table.add_row(label, *pattern, *_cells(layers, found["swaps"][1]))
                if arguments.layers:
                    console.print(_of_layers(label, pattern, layers))
    console.print(table)
    console.print(machine.one_line(machine.describe()), highlight=False)


def _table(title: str, first: str, *last: str) -> rich.table.Table:
    table = rich.table.Table(title=title)
    table.add_column(first, no_wrap=True)
    for column in ("N", "p", *WAYS, *last):
        table.add_column(column, justify="right")
    return table


def _of_layers(
    label: str, pattern: tuple[str, str], layers: dict[str, dict[str, rearrange.Kept]]
) -> rich.table.Table:
    table = _table(f"{label}, layer by layer", "layer")
    for name in layers["none"]:
        shares = (f"{layers[way][name].share:.4f}" for way in WAYS)
        table.add_row(name, *pattern, *shares)
    return table


def _cells(layers: dict[str, dict[str, rearrange.Kept]], seconds: float) -> list[str]:
    shares = {way: share(layers[way]) for way in WAYS}
    gains = {way: shares[way] - shares["none"] for way in WAYS}
    return [
        *(f"{shares[way]:.4f}" for way in WAYS),
        f"{gains['assignment'] / gains['l1']:.2f}",
        f"{gains['swaps'] / gains['l1']:.2f}",
        f"{100 * gains['swaps'] / gains['weights']:.0f} %",
        f"{seconds:.1f}",
    ]


if __name__ == "__main__":
    main()
