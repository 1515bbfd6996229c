"""Table 2: dense, weight-, filter- and block-pruned MobileNets at p = 0.5."""

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing, published, statistics
from tfmot_onexn.experiments.papers.experiment import (
    Experiment,
    name_of,
    onexn,
    top1,
    tuned,
)
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.pruning.variants import Variant

_FILTER = Variant("filter")


def _variants(setting: Setting) -> list[Variant]:
    blocks = [onexn(n) for n in setting.sizes]
    return [Variant("dense"), Variant("weight"), *blocks, _FILTER]


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    return [
        job
        for network in setting.networks
        for job in tuned(setting.of(network), _variants(setting), seeds)
    ]


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    return Page(
        "table2",
        "Table 2: MobileNets at p = 50 %",
        tuple(_table(setting, network, seeds, store) for network in setting.networks),
        _picture(setting, seeds, store),
        "Top-1 of each variant of each network",
        (setting.describe_tuning(*setting.networks), _NOTE.format(seeds=seeds)),
        {
            network: {
                name_of(variant): top1(store, setting.of(network), variant, seeds)
                for variant in _variants(setting)
            }
            for network in setting.networks
        },
    )


_NOTE = (
    "Top-1 in percent, mean ± standard deviation over {seeds} seeds of fine-tuning, "
    "all from one dense network; “dense” is fine-tuned as long as the others. "
    "Differences in points with a 95 % interval by Welch's t-test. Blocks are "
    "rearranged (swaps). Published: ImageNet at 224×224 after 90 epochs, width 1.0."
)


def _table(setting: Setting, network: str, seeds: int, store: Store) -> Table:
    filters = top1(store, setting.of(network), _FILTER, seeds)
    rows = []
    variants = _variants(setting)
    for variant, below in zip(variants, [*variants[1:], None], strict=True):
        found = top1(store, setting.of(network), variant, seeds)
        over = statistics.difference(found, filters)
        over_next = "–"
        if below is not None:
            others = top1(store, setting.of(network), below, seeds)
            over_next = statistics.difference(found, others).points()
        rows.append(
            (
                name_of(variant),
                statistics.mean(found).percent(),
                "–" if variant == _FILTER else over.points(),
                published.of(published.TABLE2, network, name_of(variant)),
                over_next,
            )
        )
    header = (
        "variant",
        "top-1",
        "over filter pruning",
        "published",
        "over the next row",
    )
    return Table(setting.of(network).label, header, tuple(rows))


def _picture(setting: Setting, seeds: int, store: Store) -> bytes:
    networks, variants = setting.networks, _variants(setting)
    figure, panels = drawing.panels(len(networks), (3.2 * len(networks) + 0.6, 3.4))
    names = [name_of(variant) for variant in variants]
    for axes, network in zip(panels, networks, strict=True):
        for place, (variant, name) in enumerate(zip(variants, names, strict=True)):
            found = top1(store, setting.of(network), variant, seeds)
            colour = drawing.COLOURS.get(name, "#0072b2")
            drawing.top1_points(axes, [place], [found], color=colour)
        axes.set_xticks(range(len(variants)), names, rotation=60)
        axes.set_title(network, fontsize=10)
    return png(figure)


TABLE2 = Experiment(
    "table2", "dense, weight, filter and 1×2 to 1×32 over the MobileNets", _jobs, _page
)
