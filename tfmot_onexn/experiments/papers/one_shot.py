"""Beyond the papers: accuracy right after pruning, with images but without labels."""

import dataclasses
import math

import numpy as np

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments import one_shot
from tfmot_onexn.experiments.one_shot import Case
from tfmot_onexn.experiments.papers import drawing
from tfmot_onexn.experiments.papers.experiment import Experiment
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting, Subject
from tfmot_onexn.experiments.papers.trainings import Dense
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.networks import preprocessing

NETWORKS = ("mobilenet", "mobilenet_v2")
_SPARSITY = 0.5
_COUNT = 384
_ORDERS = ("none", "l1", "assignment")
_BUDGETS = ("per_layer", "parameters", "macs")
_NOTE = (
    "Top-1 in percent right after pruning at p = 50 %, without any training. "
    "“mask”: masks alone, by ℓ1 norm; “batch_norm”: with mean and variance of every"
    " layer's output brought back to the dense network's; “resolved”: blocks chosen"
    " by what outputs lose, weights that stay solved anew. The last two look at "
    "{count} training images without their labels. “Recovered” is (x − b) / (dense "
    "− b), where b is that of masks in the order of filters as it is, with "
    "“batch_norm”. Options were chosen on the even ones of the test images; “top-1”"
    " and “recovered” are of the odd ones, “all” of both. With {images} odd images "
    "the standard error of an accuracy is up to {error:.1f} points. “Parameters” "
    "and “MACs” are the shares removed from the layers that are pruned: a budget of"
    " parameters takes fewer of the MACs."
)


@dataclasses.dataclass(frozen=True)
class OneShot(Job):
    """Prunes a dense network at once and tests it; without a case, tests it as it is.

    Attributes:
      case: what to do.
      count: images to calibrate with.
    """

    subject: Subject
    case: Case | None
    count: int = _COUNT

    def label(self) -> str:
        case = self.case
        if case is None:
            return f"{self.subject.network} as it is"
        parts = (case.rearrange, case.treatment, case.allocation)
        return f"{self.subject.network} n{case.n} {' '.join(parts)} seed{case.seed}"

    def work(self, workshop: Workshop) -> Result:
        model = workshop.dense(self.subject)
        dataset = workshop.dataset_for(self.subject, model)
        if self.case is None:
            row = one_shot.measure_dense(model, dataset)
        else:
            rng = np.random.default_rng(self.case.seed)
            pool = rng.permutation(len(dataset.train_labels))[: self.count]
            images = preprocessing.preprocess(
                dataset.preprocessing, dataset.train_images.take(np.sort(pool))
            )
            row = one_shot.measure(self.case, model, images, dataset, count=self.count)
        return {**dataclasses.asdict(row), "dense": workshop.checksum(self.subject)}


def cases(setting: Setting, seeds: int) -> list[Case]:
    """Returns every case, in the order of the table; further seeds of a few of them.

    The first seed has all orders, treatments and budgets; the others, which cost as
    much, only the baseline and the best treatment.
    """
    found = []
    for n in _sizes(setting):
        for budget in _BUDGETS[:1] if setting.name == "quick" else _BUDGETS:
            for order in _ORDERS:
                for treatment in one_shot.TREATMENTS:
                    case = Case(n, _SPARSITY, order, treatment, budget)
                    repeated = treatment == "resolved" or case == case.baseline
                    again = min(seeds, 2) if repeated and budget == "per_layer" else 1
                    found += [
                        dataclasses.replace(case, seed=seed) for seed in range(again)
                    ]
    return found


def _sizes(setting: Setting) -> list[int]:
    return setting.sizes_among(4, 16)


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    jobs: list[Job] = []
    for network in NETWORKS:
        subject = setting.of(network)
        jobs += [Dense(subject), OneShot(subject, None)]
        jobs += [OneShot(subject, case) for case in cases(setting, seeds)]
    return jobs


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    values = {
        network: _measures(setting.of(network), cases(setting, seeds), store)
        for network in NETWORKS
    }
    images = len(store.require(OneShot(setting.of(NETWORKS[0]), None))["hits"]) // 2
    note = _NOTE.format(count=_COUNT, images=images, error=50 / math.sqrt(images))
    return Page(
        "one_shot",
        "Right after pruning: MobileNets at p = 50 % without training",
        tuple(_table(setting.of(network), values[network]) for network in NETWORKS),
        _picture(values),
        "Top-1 by order of filters and treatment",
        (setting.describe(*NETWORKS), note),
        values,
    )


def shares(hits: str) -> tuple[float, float]:
    """Returns top-1 on the odd test images, and on all."""
    right = np.array(list(hits)) == "1"
    return float(right[1::2].mean()), float(right.mean())


def _measures(subject: Subject, chosen: list[Case], store: Store) -> list[dict]:
    dense = shares(store.require(OneShot(subject, None))["hits"])
    rows = [{"treatment": "dense", "top1": dense[0], "top1_all": dense[1]}]
    for case in chosen:
        result = store.require(OneShot(subject, case))
        base = shares(store.require(OneShot(subject, case.baseline))["hits"])
        top1 = shares(result.pop("hits"))
        recovered = [
            (own - low) / (high - low) if high != low else math.nan
            for own, low, high in zip(top1, base, dense, strict=True)
        ]
        rows.append(
            {
                **dataclasses.asdict(case),
                **result,
                "top1": top1[0],
                "top1_all": top1[1],
                "recovered": recovered[0],
                "recovered_all": recovered[1],
            }
        )
    return rows


def _table(subject: Subject, rows: list[dict]) -> Table:
    dense, *pruned = rows
    cells = tuple(
        (
            f"1×{row['n']}",
            *(row["rearrange"], row["treatment"], row["allocation"], str(row["seed"])),
            *(f"{100 * row[name]:.1f}" for name in ("top1", "top1_all")),
            *(f"{100 * row[name]:.0f} %" for name in ("recovered", "recovered_all")),
            f"{100 * row['parameters_removed']:.0f} %",
            f"{100 * row['macs_removed']:.0f} %",
            f"{row['seconds']:.0f}",
        )
        for row in pruned
    )
    header = (
        *("blocks", "order", "treatment", "budget", "seed"),
        *("top-1", "all", "recovered", "of all", "parameters", "MACs", "s"),
    )
    top1 = f"{100 * dense['top1']:.1f} ({100 * dense['top1_all']:.1f} of all)"
    return Table(f"{subject.label}, dense {top1}", header, cells)


def _picture(values: dict[str, list[dict]]) -> bytes:
    figure, panels = drawing.panels(len(values), (10.0, 3.8))
    colours = dict(
        zip(one_shot.TREATMENTS, ("#999999", "#e69f00", "#0072b2"), strict=True)
    )
    for axes, (network, (dense, *rows)) in zip(panels, values.items(), strict=True):
        first = [r for r in rows if r["allocation"] == "per_layer" and not r["seed"]]
        places = list(dict.fromkeys((r["n"], r["rearrange"]) for r in first))
        for index, (treatment, colour) in enumerate(colours.items()):
            heights = [
                100 * r["top1_all"] for r in first if r["treatment"] == treatment
            ]
            where = drawing.beside(len(places), index, len(colours))
            axes.bar(where, heights, 0.25, label=treatment, color=colour)
        axes.axhline(
            100 * dense["top1_all"], color="#000000", linestyle="--", label="dense"
        )
        names = [f"1×{n}\n{order}" for n, order in places]
        axes.set_xticks(range(len(places)), names, fontsize=8)
        axes.set_title(network, fontsize=10)
        axes.set_ylabel("top-1, %")
    drawing.legend_below(figure, panels[0])
    return png(figure)


ONE_SHOT = Experiment(
    "one_shot", "right after pruning, weights solved on unlabelled images", _jobs, _page
)
