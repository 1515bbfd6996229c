"""Table 1: MobileNetV2 at p = 0.5 with and without rearrangement, over N."""

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing, published, statistics
from tfmot_onexn.experiments.papers.experiment import (
    Experiment,
    onexn,
    results,
    tuned,
)
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting
from tfmot_onexn.experiments.tables import Table

NETWORK = "mobilenet_v2"
_WAYS = {"none": "#999999", "l1": "#e69f00", "swaps": "#0072b2"}
_PAIRS = (("swaps", "none"), ("swaps", "l1"), ("l1", "none"))
_PUBLISHED = ("published, none", "published, l1")
# by N and by way, one result for each seed
Found = dict[int, dict[str, list[Result]]]
_NOTE = (
    "Top-1 in percent after fine-tuning, mean ± standard deviation over {seeds} seeds, "
    "and differences in points with a 95 % interval by Welch's t-test. "
    "“l1” is the paper's sort, “swaps” this package's search; “kept” is the share of "
    "the pruned kernels' ℓ1 norm that the masks keep, and “masked” the top-1 before "
    "any fine-tuning. Published: ImageNet, 90 epochs, sort of the layers that no "
    "residual add ties, masks scattered back."
)


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    variants = [onexn(n, rearrange=way) for n in setting.sizes for way in _WAYS]
    return tuned(setting.of(NETWORK), variants, seeds)


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    subject = setting.of(NETWORK)
    found = {
        n: {
            way: results(store, subject, onexn(n, rearrange=way), seeds)
            for way in _WAYS
        }
        for n in setting.sizes
    }
    tables = (_accuracies(subject.label, found), _kept(found))
    return Page(
        "table1",
        "Table 1: rearrangement, MobileNetV2 at p = 50 %",
        tables,
        _picture(found),
        "Top-1 over N without rearrangement, with the sort and with the search",
        (setting.describe_tuning(NETWORK), _NOTE.format(seeds=seeds)),
        {f"1×{n}": by_way for n, by_way in found.items()},
    )


def _top1(found: list[Result]) -> list[float]:
    return [each["top1"] for each in found]


def _accuracies(label: str, found: Found) -> Table:
    rows = []
    for n, by_way in found.items():
        gains = (
            statistics.difference(_top1(by_way[way]), _top1(by_way[other])).points()
            for way, other in _PAIRS
        )
        known = published.TABLE1.get(n)
        rows.append(
            (
                str(n),
                *(statistics.mean(_top1(by_way[way])).percent() for way in _WAYS),
                *gains,
                *(f"{each:.2f}" for each in known or ()),
                *("–" for _ in ([] if known else _PUBLISHED)),
            )
        )
    pairs = (f"{way} over {other}" for way, other in _PAIRS)
    header = ("N", *_WAYS, *pairs, *_PUBLISHED)
    return Table(f"{label}: top-1", header, tuple(rows))


def _kept(found: Found) -> Table:
    # masks, and so what is kept and recognized before training, do not depend on seeds
    rows = tuple(
        (
            str(n),
            *(f"{by_way[way][0]['kept']:.3f}" for way in _WAYS),
            *(f"{100 * by_way[way][0]['top1_masked']:.1f}" for way in _WAYS),
        )
        for n, by_way in found.items()
    )
    header = ("N", *(f"{what}, {way}" for what in ("kept", "masked") for way in _WAYS))
    return Table("ℓ1 norm kept, and top-1 before fine-tuning", header, rows)


def _picture(found: Found) -> bytes:
    figure, (axes,) = drawing.panels(1, (6.0, 3.6))
    places = range(len(found))
    for way, colour in _WAYS.items():
        top1 = [_top1(by_way[way]) for by_way in found.values()]
        drawing.top1_points(axes, places, top1, label=way, color=colour)
    axes.set_xticks(places, [f"1×{n}" for n in found])
    axes.legend(frameon=False)
    return png(figure)


TABLE1 = Experiment(
    "table1", "rearrangement on and off over N, MobileNetV2", _jobs, _page
)
