"""Table 1: MobileNetV2 at p = 0.5 with and without rearrangement, over N."""

import matplotlib.figure
import numpy as np

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import published, statistics
from tfmot_onexn.experiments.papers.experiment import (
    Experiment,
    onexn,
    results,
    top1,
    tuned,
)
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting
from tfmot_onexn.experiments.tables import Table

NETWORK = "mobilenet_v2"
_WAYS = {"none": "#999999", "l1": "#e69f00", "swaps": "#0072b2"}
_NOTE = (
    "Top-1 in percent after fine-tuning, mean ± standard deviation over {seeds} seeds. "
    "“l1” is the paper's sort, “swaps” this package's search; “kept” is the share of "
    "the pruned kernels' ℓ1 norm that the masks keep, and “masked” the top-1 before "
    "any fine-tuning. Published: ImageNet, 90 epochs, sort of the layers that no "
    "residual add ties, masks scattered back."
)


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    variants = [onexn(n, rearrange=way) for n in setting.sizes for way in _WAYS]
    return tuned(setting.of(NETWORK), variants, seeds)


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    header = (
        *("N", "none", "l1", "swaps", "swaps over none"),
        *("kept: none", "kept: l1", "kept: swaps"),
        *("masked: none", "masked: l1", "masked: swaps"),
        *("published, none", "published, l1"),
    )
    rows = tuple(_row(setting, n, seeds, store) for n in setting.sizes)
    values = {
        f"1×{n}": {
            way: results(store, setting.of(NETWORK), onexn(n, rearrange=way), seeds)
            for way in _WAYS
        }
        for n in setting.sizes
    }
    return Page(
        "table1",
        "Table 1: rearrangement, MobileNetV2 at p = 50 %",
        (Table(setting.of(NETWORK).label, header, rows),),
        _picture(setting, seeds, store),
        "Top-1 over N without rearrangement, with the sort and with the search",
        (setting.describe(), _NOTE.format(seeds=seeds)),
        values,
    )


def _row(setting: Setting, n: int, seeds: int, store: Store) -> tuple[str, ...]:
    found = {
        way: results(store, setting.of(NETWORK), onexn(n, rearrange=way), seeds)
        for way in _WAYS
    }
    top1s = {way: [each["top1"] for each in found[way]] for way in _WAYS}
    # masks, and so what is kept and recognized before training, hardly depend on seeds
    first = {way: found[way][0] for way in _WAYS}
    without, with_sort = published.TABLE1.get(n, (None, None))
    return (
        str(n),
        *(statistics.mean(top1s[way]).percent() for way in _WAYS),
        statistics.difference(top1s["swaps"], top1s["none"]).points(),
        *(f"{first[way]['kept']:.3f}" for way in _WAYS),
        *(f"{100 * first[way]['top1_masked']:.1f}" for way in _WAYS),
        *("–" if each is None else f"{each:.2f}" for each in (without, with_sort)),
    )


def _picture(setting: Setting, seeds: int, store: Store) -> bytes:
    figure = matplotlib.figure.Figure((6.0, 3.6), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(setting.sizes))
    for way, colour in _WAYS.items():
        means = [
            statistics.mean(
                top1(store, setting.of(NETWORK), onexn(n, rearrange=way), seeds)
            )
            for n in setting.sizes
        ]
        axes.errorbar(
            places,
            [100 * mean.value for mean in means],
            np.nan_to_num([100 * mean.spread for mean in means]),
            label=way,
            color=colour,
            marker="o",
            capsize=3,
        )
    axes.set_xticks(places, [f"1×{n}" for n in setting.sizes])
    axes.set_ylabel("top-1, %")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return png(figure)


TABLE1 = Experiment(
    "table1", "rearrangement on and off over N, MobileNetV2", _jobs, _page
)
