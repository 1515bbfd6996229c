"""Figure 5: accuracy against latency, of dense, weight-, filter- and block-pruned
MobileNetV2.
"""

import dataclasses
import pathlib
import tempfile
from typing import ClassVar

from tfmot_onexn.benchmark import compare
from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing, fig4
from tfmot_onexn.experiments.papers.experiment import (
    Experiment,
    mean_top1,
    name_of,
    tuned,
)
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.networks import models
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import versions

NETWORK = "mobilenet_v2"
_DENSE = Variant("dense")
_RUNTIMES = ("tflite", "tflite+delegate", "tvm_plan")
_PACKAGES = ("ai-edge-litert", "apache-tvm")
_NAMES = {None: "LiteRT", "onexn": "LiteRT + delegate", "tvm_plan": "TVM plan"}
_NOTE = (
    "Latency: MobileNetV2 1.0 at 224×224 with random weights, batch 1, one thread, "
    "median (p10–p90) of {runs} runs in turns, with {versions}; the paper's is of a "
    "Pixel 2 in TVM. "
    "Accuracy: top-1 of the network that was trained, mean over {seeds} seeds. So a "
    "point joins two networks of the same kind and sparsity, not of the same width. "
    "Weight-pruned networks have CSR kernels in the plan, filter-pruned ones are "
    "smaller dense ones."
)


@dataclasses.dataclass(frozen=True)
class Latency(Job):
    """Times the variants of a network of full size at some sparsities, in turns."""

    phase: ClassVar[int] = 2
    parallel: ClassVar[bool] = False

    network: str
    image_size: int
    sparsities: tuple[float, ...]
    runs: int

    def label(self) -> str:
        return f"{self.network} latency"

    def work(self, workshop: Workshop) -> Result:
        side = self.image_size
        variants = [v for p in self.sparsities for v in fig4.variants(p)]
        with tempfile.TemporaryDirectory() as folder:
            found = compare.compare(
                models.build(self.network, input_shape=(side, side, 3)),
                [_DENSE, *(_in_order(variant) for variant in variants)],
                pathlib.Path(folder),
                runtimes=_RUNTIMES,
                runs=self.runs,
            )
        wrong = [each.label for each in found.agreements if not each.passed]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: does not compute what its model does"
            )
        return {
            "rows": [dataclasses.asdict(row) for row in found.rows],
            "versions": {name: versions.installed()[name] for name in _PACKAGES},
        }


def _in_order(variant: Variant) -> Variant:
    """Returns a variant without rearrangement, which random weights gain nothing by."""
    return dataclasses.replace(variant, rearrange="none")


def _latency(setting: Setting) -> Latency:
    quick = setting.name == "quick"
    return Latency(
        NETWORK, 96 if quick else 224, setting.sparsities, 20 if quick else 60
    )


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    variants = [v for p in setting.sparsities for v in fig4.variants(p)]
    trained = tuned(setting.of(NETWORK), [_DENSE, *variants], seeds)
    return [*trained, _latency(setting)]


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    job = _latency(setting)
    times: dict[tuple[str, float], dict[str, dict]] = {}
    measured = store.require(job)
    for row in measured["rows"]:
        variant = Variant(row["variant"], n=row["n"] or 4)
        runtime = "tvm_plan" if row["runtime"] == "tvm_plan" else row["delegate"]
        key = (name_of(variant), row["sparsity"])
        times.setdefault(key, {})[_NAMES[runtime]] = row
    points = []
    for variant in [_DENSE, *(v for p in setting.sparsities for v in fig4.variants(p))]:
        sparsity = 0.0 if variant == _DENSE else variant.sparsity
        found = mean_top1(store, setting.of(NETWORK), variant, seeds)
        points.append(
            (name_of(variant), sparsity, found, times[name_of(variant), sparsity])
        )
    header = ("variant", "p", "top-1", *(f"{name}, ms" for name in _NAMES.values()))
    rows = tuple(
        (
            name,
            f"{100 * sparsity:g} %",
            mean.percent(),
            *(_milliseconds(timed[runtime]) for runtime in _NAMES.values()),
        )
        for name, sparsity, mean, timed in points
    )
    values = [
        {
            "variant": name,
            "sparsity": sparsity,
            "top1": mean.value,
            "ms": {runtime: row["median_ms"] for runtime, row in timed.items()},
        }
        for name, sparsity, mean, timed in points
    ]
    used = " and ".join(map(" ".join, measured["versions"].items()))
    note = _NOTE.format(runs=job.runs, seeds=seeds, versions=used)
    return Page(
        "fig5",
        "Figure 5: accuracy against latency, MobileNetV2",
        (Table(NETWORK, header, rows),),
        _picture(values),
        "Top-1 against latency in each runtime",
        (setting.describe_tuning(NETWORK), note),
        values,
    )


def _milliseconds(row: dict) -> str:
    return f"{row['median_ms']:.2f} ({row['p10_ms']:.2f}–{row['p90_ms']:.2f})"


def _picture(values: list[dict]) -> bytes:
    figure, panels = drawing.panels(len(_NAMES), (11.0, 3.6), sharey=True)
    for axes, runtime in zip(panels, _NAMES.values(), strict=True):
        for name in dict.fromkeys(each["variant"] for each in values):
            own = [each for each in values if each["variant"] == name]
            axes.plot(
                [each["ms"][runtime] for each in own],
                [100 * each["top1"] for each in own],
                label=name,
                color=drawing.COLOURS[name],
                marker="o",
            )
        axes.set_title(runtime, fontsize=10)
        axes.set_xlabel("median latency, ms")
    panels[0].set_ylabel("top-1, %")
    panels[-1].legend(frameon=False)
    return png(figure)


FIG5 = Experiment(
    "fig5",
    "accuracy against the artifacts' measured latency, MobileNetV2",
    _jobs,
    _page,
)
