"""SUBP's second figure: how evenly block rows divide among threads."""

import dataclasses

import numpy as np

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing
from tfmot_onexn.experiments.papers.experiment import Experiment
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting, Subject
from tfmot_onexn.experiments.papers.trainings import Dense
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.pruning import policy
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.sparsity import blocks, masks

NETWORKS = ("mobilenet", "mobilenet_v2")
_SPARSITY = 0.5
_THREADS = (1, 2, 4, 8)
# name -> (rearrange, uniform)
_WAYS = {
    "plain": ("none", False),
    "sorted (l1)": ("l1", False),
    "searched (swaps)": ("swaps", False),
    "uniform": ("none", True),
    "uniform, searched": ("swaps", True),
}
_NOTE = (
    "Blocks of the thread that has most, over the mean of all, where a layer's "
    "block rows are divided among threads as contiguous chunks of equally many "
    "rows; the mean over layers, weighted by blocks. 1 is balance; for one thread "
    "it is 1 by definition. “Widest range” is the largest difference of blocks "
    "between two rows of a layer, over the mean of its rows. Sorting puts the rows "
    "that keep most side by side. Published: a sketch only. A runtime may divide "
    "differently: this package's kernels divide pixels where there are enough of "
    "them."
)


@dataclasses.dataclass(frozen=True)
class RowCounts(Job):
    """Counts the blocks in each block row of each pruned layer."""

    subject: Subject
    n: int
    rearrange: str
    uniform: bool

    def label(self) -> str:
        uniform = " uniform" if self.uniform else ""
        return f"{self.subject.network} rows n{self.n} {self.rearrange}{uniform}"

    def work(self, workshop: Workshop) -> Result:
        variant = Variant("onexn", _SPARSITY, self.n, self.rearrange, self.uniform)
        model = workshop.prepared(self.subject, variant)
        counts = {}
        for layer in policy.chosen_layers(model, variant.policy):
            kernel = layer.get_weights()[0]
            mask = masks.block_mask(kernel, self.n, _SPARSITY, uniform=self.uniform)
            kept = blocks.sum_blocks(mask.astype(np.int64), self.n) > 0
            counts[layer.name] = kept.sum(axis=0).tolist()
        return counts


def imbalance(rows: np.ndarray, threads: int) -> float:
    """Returns the blocks of the busiest thread over the mean of all threads.

    Args:
      rows: blocks in each block row ``[rows]``.
      threads: contiguous chunks that the rows are divided into.
    """
    chunks = [int(chunk.sum()) for chunk in np.array_split(rows, threads)]
    return max(chunks) * threads / sum(chunks)


def _counted(subject: Subject, n: int) -> dict[str, RowCounts]:
    return {name: RowCounts(subject, n, *way) for name, way in _WAYS.items()}


def _sizes(setting: Setting) -> list[int]:
    return setting.sizes_among(4, 16)


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    jobs: list[Job] = [Dense(setting.of(network)) for network in NETWORKS]
    for network in NETWORKS:
        for n in _sizes(setting):
            jobs += _counted(setting.of(network), n).values()
    return jobs


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    values: dict[str, dict[str, dict[str, float]]] = {}
    for network in NETWORKS:
        for n in _sizes(setting):
            values[f"{network} 1×{n}"] = {
                name: _measures(store.require(job))
                for name, job in _counted(setting.of(network), n).items()
            }
    measures = next(iter(next(iter(values.values())).values()))
    tables = tuple(
        Table(
            label,
            ("order", *measures),
            tuple(
                (name, *(f"{value:.2f}" for value in found.values()))
                for name, found in ways.items()
            ),
        )
        for label, ways in values.items()
    )
    return Page(
        "balance",
        "Balance: blocks of the busiest thread over the mean, p = 50 %",
        tables,
        _picture(values),
        "Blocks of the busiest thread over the mean, by number of threads",
        (setting.describe(*NETWORKS), _NOTE),
        values,
    )


def _measures(counts: dict[str, list[int]]) -> dict[str, float]:
    """Returns what the table shows of one order, from the counts of each layer."""
    layers = [np.array(rows) for rows in counts.values() if len(rows) > 1]
    weights = [rows.sum() for rows in layers]
    found = {
        f"{threads} threads": float(
            np.average([imbalance(rows, threads) for rows in layers], weights=weights)
        )
        for threads in _THREADS
    }
    found["widest range"] = max(float(np.ptp(rows) / rows.mean()) for rows in layers)
    return found


def _picture(values: dict[str, dict[str, dict[str, float]]]) -> bytes:
    figure, panels = drawing.panels(len(values), (3.2 * len(values), 3.4), sharey=True)
    # uniform rows are in balance in any order, so one line hides the other
    styles = (
        *(("#999999", "o-"), ("#e69f00", "o-"), ("#0072b2", "o-")),
        *(("#009e73", "s-"), ("#cc79a7", "x--")),
    )
    for axes, (label, ways) in zip(panels, values.items(), strict=True):
        for (name, found), (colour, style) in zip(ways.items(), styles, strict=True):
            heights = [found[f"{threads} threads"] for threads in _THREADS]
            axes.plot(heights, style, label=name, color=colour)
        axes.set_xticks(range(len(_THREADS)), [str(t) for t in _THREADS])
        axes.set_title(label, fontsize=10)
        axes.set_xlabel("threads")
    panels[0].set_ylabel("busiest thread over the mean")
    panels[0].legend(frameon=False, fontsize=8)
    return png(figure)


BALANCE = Experiment(
    "balance", "block rows over 1 to 8 threads: plain, sorted, uniform", _jobs, _page
)
