"""SUBP from scratch against 1xN pruned from a dense network and fine-tuned."""

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing, published, statistics
from tfmot_onexn.experiments.papers.experiment import Experiment, onexn, top1, tuned
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting, Subject
from tfmot_onexn.experiments.papers.trainings import FromScratch
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.pruning.variants import Soft, Variant

NETWORKS = ("mobilenet", "mobilenet_v2")
_DENSE = Variant("dense")
_NOTE = (
    "Top-1 in percent at p = 50 %, mean ± standard deviation over {seeds} seeds, "
    "and the difference with a 95 % interval by Welch's t-test. Both ways take "
    "{epochs} epochs: SUBP from random weights, a seed for each; 1×N {dense} for "
    "the dense network, which all seeds share, and {tuning} of fine-tuning, filters"
    " rearranged (swaps) or rows uniform. So the spread of SUBP holds that of first"
    " weights, the other does not. Published: MobileNet on ImageNet, SUBP at p = "
    "53.9 %, and the other paper's 1×N at 50 % after another recipe."
)


def _softly(n: int, seed: int) -> Variant:
    return Variant("subp", 0.5, n, soft=Soft(seed=seed))


def _uniform(n: int) -> Variant:
    return Variant("onexn", 0.5, n, "swaps", uniform=True)


def _sizes(setting: Setting) -> list[int]:
    return setting.sizes_among(16, 32)


def _scratch(subject: Subject, n: int, seeds: int) -> list[FromScratch]:
    return [FromScratch(subject, _softly(n, seed), seed) for seed in range(seeds)]


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    jobs: list[Job] = []
    for network in NETWORKS:
        subject = setting.of(network)
        variants = [v for n in _sizes(setting) for v in (onexn(n), _uniform(n))]
        jobs += tuned(subject, [_DENSE, *variants], seeds)
        for n in _sizes(setting):
            jobs += _scratch(subject, n, seeds)
    return jobs


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    found = {
        network: {
            n: _of_size(store, setting.of(network), n, seeds) for n in _sizes(setting)
        }
        for network in NETWORKS
    }
    dense = {n: top1(store, setting.of(n), _DENSE, seeds) for n in NETWORKS}
    tables = [
        _table(setting.of(network), dense[network], found[network])
        for network in NETWORKS
    ]
    note = _NOTE.format(
        seeds=seeds,
        epochs=setting.dense_epochs + setting.tuning_epochs,
        dense=setting.dense_epochs,
        tuning=setting.tuning_epochs,
    )
    return Page(
        "subp",
        "SUBP from scratch against 1×N fine-tuned",
        tuple(tables),
        _picture(found),
        "Top-1 of SUBP and of 1×N",
        (setting.describe_tuning(*NETWORKS), note),
        {network: {"dense": dense[network], **found[network]} for network in NETWORKS},
    )


def _of_size(
    store: Store, subject: Subject, n: int, seeds: int
) -> dict[str, list[float]]:
    scratch = [store.require(job)["top1"] for job in _scratch(subject, n, seeds)]
    return {
        "subp": scratch,
        "1×N": top1(store, subject, onexn(n), seeds),
        "1×N uniform": top1(store, subject, _uniform(n), seeds),
    }


def _table(
    subject: Subject, dense: list[float], found: dict[int, dict[str, list[float]]]
) -> Table:
    known = subject.network == "mobilenet"
    rows = tuple(
        (
            str(n),
            *(statistics.mean(values).percent() for values in by_way.values()),
            statistics.difference(by_way["subp"], by_way["1×N"]).points(),
            published.of(published.SUBP, n) if known else "–",
            published.of(published.ONEXN_BESIDE_SUBP, n) if known else "–",
        )
        for n, by_way in found.items()
    )
    header = (
        *("N", "SUBP", "1×N", "1×N uniform", "SUBP over 1×N"),
        *("published, SUBP", "published, 1×N"),
    )
    return Table(
        f"{subject.label}, dense {statistics.mean(dense).percent()}", header, rows
    )


def _picture(found: dict[str, dict[int, dict[str, list[float]]]]) -> bytes:
    figure, panels = drawing.panels(len(found), (8.0, 3.4))
    colours = {
        "subp": drawing.COLOURS["subp"],
        "1×N": drawing.COLOURS["1×16"],
        "1×N uniform": "#56b4e9",
    }
    for axes, (network, by_size) in zip(panels, found.items(), strict=True):
        for index, (way, colour) in enumerate(colours.items()):
            drawing.top1_points(
                axes,
                drawing.beside(len(by_size), index, len(colours)),
                [by_way[way] for by_way in by_size.values()],
                linestyle="none",
                label=way,
                color=colour,
            )
        axes.set_xticks(range(len(by_size)), [f"N = {n}" for n in by_size])
        axes.margins(x=0.2)
        axes.set_title(network, fontsize=10)
    drawing.legend_below(figure, panels[-1])
    return png(figure)


SUBP = Experiment(
    "subp", "from scratch against 1×N fine-tuned, N = 16 and 32", _jobs, _page
)
