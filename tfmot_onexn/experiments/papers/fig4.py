"""Figure 4: accuracy of weight, block and filter pruning over p."""

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

NETWORKS = ("mobilenet", "mobilenet_v2")
_DENSE = Variant("dense")
# first less second; the paper finds all of them above zero
_PAIRS = (
    ("weight", "filter"),
    ("1×16", "filter"),
    ("1×4", "1×16"),
    ("weight", "1×4"),
)
_NOTE = (
    "Top-1 in percent, mean ± standard deviation over {seeds} seeds of fine-tuning,"
    " all from one dense network with the same budget. Differences in points with a"
    " 95 % interval by Welch's t-test. Blocks are rearranged (swaps). At the same "
    "p, filter pruning removes more work: (1 − p)² of it is left. Published: "
    "MobileNetV2 1.0 on ImageNet."
)


def variants(sparsity: float) -> list[Variant]:
    """Returns the four kinds of pruning that are compared, finest first."""
    return [
        Variant("weight", sparsity),
        onexn(4, sparsity),
        onexn(16, sparsity),
        Variant("filter", sparsity),
    ]


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    pruned = [v for p in setting.sparsities for v in variants(p)]
    return [
        job
        for network in NETWORKS
        for job in tuned(setting.of(network), [_DENSE, *pruned], seeds)
    ]


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    found = {
        network: {
            sparsity: {
                name_of(variant): top1(store, setting.of(network), variant, seeds)
                for variant in variants(sparsity)
            }
            for sparsity in setting.sparsities
        }
        for network in NETWORKS
    }
    dense = {n: top1(store, setting.of(n), _DENSE, seeds) for n in NETWORKS}
    tables = [
        table
        for network in NETWORKS
        for table in (
            _accuracies(setting, network, dense[network], found[network]),
            _differences(setting, network, found[network]),
        )
    ]
    values = {
        network: {
            "dense": dense[network],
            **{f"{p:g}": by_name for p, by_name in found[network].items()},
        }
        for network in NETWORKS
    }
    return Page(
        "fig4",
        "Figure 4: accuracy over p",
        tuple(tables),
        _picture(setting, dense, found),
        "Top-1 over p for weight, 1×4, 1×16 and filter pruning",
        (setting.describe_tuning(*NETWORKS), _NOTE.format(seeds=seeds)),
        values,
    )


def _accuracies(
    setting: Setting,
    network: str,
    dense: list[float],
    found: dict[float, dict[str, list[float]]],
) -> Table:
    names = [name_of(variant) for variant in variants(0.5)]
    known = network == "mobilenet_v2"
    rows = tuple(
        (
            f"{100 * p:g} %",
            *(statistics.mean(found[p][name]).percent() for name in names),
            *(published.of(published.FIG4, name, p) for name in names if known),
        )
        for p in setting.sparsities
    )
    header = ("p", *names, *(f"published, {name}" for name in names if known))
    title = f"{setting.of(network).label}, dense " + (statistics.mean(dense).percent())
    return Table(title, header, rows)


def _differences(
    setting: Setting, network: str, found: dict[float, dict[str, list[float]]]
) -> Table:
    rows = tuple(
        (
            f"{100 * p:g} %",
            *(
                statistics.difference(found[p][first], found[p][second]).points()
                for first, second in _PAIRS
            ),
        )
        for p in setting.sparsities
    )
    header = ("p", *(f"{first} over {second}" for first, second in _PAIRS))
    return Table(f"{network}: differences", header, rows)


def _picture(
    setting: Setting,
    dense: dict[str, list[float]],
    found: dict[str, dict[float, dict[str, list[float]]]],
) -> bytes:
    figure, panels = drawing.panels(len(NETWORKS), (9.0, 3.6))
    percents = [100 * p for p in setting.sparsities]
    for axes, network in zip(panels, NETWORKS, strict=True):
        for name in found[network][setting.sparsities[0]]:
            top1 = [found[network][p][name] for p in setting.sparsities]
            colour = drawing.COLOURS[name]
            drawing.top1_points(axes, percents, top1, label=name, color=colour)
        line = 100 * statistics.mean(dense[network]).value
        axes.axhline(
            line, color=drawing.COLOURS["dense"], linestyle="--", label="dense"
        )
        axes.set_title(setting.of(network).label, fontsize=10)
        axes.set_xlabel("p, %")
    panels[0].legend(frameon=False)
    return png(figure)


FIG4 = Experiment("fig4", "accuracy over p, MobileNet and MobileNetV2", _jobs, _page)
