"""Figure 2b: how much l1 norm each layer keeps, with and without rearrangement."""

import dataclasses

import numpy as np

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing
from tfmot_onexn.experiments.papers.experiment import Experiment, onexn
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting, Subject
from tfmot_onexn.experiments.papers.trainings import Dense
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.graph import rearrange
from tfmot_onexn.pruning import policy

NETWORK = "mobilenet_v2"
_WAYS = {"none": "#999999", "l1": "#e69f00", "swaps": "#0072b2", "weights": "#000000"}
_SPARSITY = 0.5
_NOTE = (
    "Share of a layer's ℓ1 norm that 1×N pruning at p = 50 % keeps, in the order of"
    " layers: as the filters stand, after the paper's sort, after this package's "
    "search, and by pruning single weights, which no order can exceed. Layers that "
    "a residual add ties share one order, which may cost one of them what the "
    "others gain. Published: the sort gains in each of MobileNetV2's 17 blocks, "
    "most in the last."
)


@dataclasses.dataclass(frozen=True)
class Kept(Job):
    """Measures what each layer keeps in one order of filters."""

    subject: Subject
    n: int
    way: str

    def label(self) -> str:
        return f"{self.subject.network} kept n{self.n} {self.way}"

    def work(self, workshop: Workshop) -> Result:
        # blocks of one filter are the single weights of a 1x1 kernel
        n, order = (1, "none") if self.way == "weights" else (self.n, self.way)
        variant = onexn(self.n, _SPARSITY, order)
        model = workshop.prepared(self.subject, variant)
        layers = policy.chosen_layers(model, variant.policy)
        kept = rearrange.kept_by_layer(
            model, n, _SPARSITY, prunable=lambda layer: layer in layers
        )
        return {layer.name: kept[layer.name].share for layer in layers}


def _kept(setting: Setting, n: int) -> list[Kept]:
    return [Kept(setting.of(NETWORK), n, way) for way in _WAYS]


def _sizes(setting: Setting) -> list[int]:
    return setting.sizes_among(4, 16)


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    measured = [job for n in _sizes(setting) for job in _kept(setting, n)]
    return [Dense(setting.of(NETWORK)), *measured]


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    values = {
        n: {job.way: store.require(job) for job in _kept(setting, n)}
        for n in _sizes(setting)
    }
    header = ("layer", *(f"1×{n} {way}" for n in values for way in _WAYS))
    names = list(values[_sizes(setting)[0]]["none"])
    rows = [
        (name, *(f"{values[n][way][name]:.3f}" for n in values for way in _WAYS))
        for name in names
    ]
    means = (
        f"{np.mean(list(values[n][way].values())):.3f}" for n in values for way in _WAYS
    )
    return Page(
        "fig2b",
        "Figure 2b: ℓ1 norm kept in each layer, MobileNetV2 at p = 50 %",
        (Table(NETWORK, header, (*rows, ("mean of layers", *means))),),
        _picture(values),
        "Share of each layer's ℓ1 norm that is kept",
        (setting.describe(NETWORK), _NOTE),
        values,
    )


def _picture(values: dict[int, dict[str, dict[str, float]]]) -> bytes:
    figure, panels = drawing.panels(len(values), (9.0, 3.2 * len(values)), down=True)
    for axes, (n, by_way) in zip(panels, values.items(), strict=True):
        for way, colour in _WAYS.items():
            shares = list(by_way[way].values())
            axes.plot(shares, label=way, color=colour, marker=".", linewidth=1)
        axes.set_title(f"1×{n}", fontsize=10)
        axes.set_xlabel("layer")
        axes.set_ylabel("share kept")
    panels[0].legend(frameon=False, ncols=len(_WAYS))
    return png(figure)


FIG2B = Experiment(
    "fig2b", "l1 norm kept in each layer, with and without rearrangement", _jobs, _page
)
