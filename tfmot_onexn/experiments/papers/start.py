"""Fine-tuning from masks, and from weights that were solved on unlabelled images."""

from tfmot_onexn.benchmark.pictures import png
from tfmot_onexn.experiments.papers import drawing, statistics
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
# unlabelled images that the better start is solved on
COUNT = 512
_STARTS = {0: "masks", COUNT: "calibrated"}
_COLOURS = {0: "#999999", COUNT: "#0072b2"}
# by N and p, then by images, one result for each seed
Found = dict[tuple[int, float], dict[int, list[Result]]]
_NOTE = (
    "Top-1 in percent, mean ± standard deviation over {seeds} seeds of fine-tuning, "
    "and the difference in points with a 95 % interval by Welch's t-test. “Masks” "
    "begins with the dense weights in the blocks of largest ℓ1 norm, “calibrated” with "
    "blocks chosen and weights solved on {count} of the training images, without their "
    "labels. “Before” is without any fine-tuning. Filters are rearranged (swaps). "
    "Nothing is published to set beside it."
)


def _cases(setting: Setting) -> list[tuple[int, float]]:
    return [(n, p) for n in setting.sizes_among(4, 16) for p in setting.sparsities]


def _jobs(setting: Setting, seeds: int) -> list[Job]:
    variants = [onexn(*case) for case in _cases(setting)]
    subject = setting.of(NETWORK)
    first, *others = (tuned(subject, variants, seeds, images) for images in _STARTS)
    return first + [job for jobs in others for job in jobs[1:]]


def _page(setting: Setting, seeds: int, store: Store) -> Page:
    subject = setting.of(NETWORK)
    found: Found = {
        case: {
            images: results(store, subject, onexn(*case), seeds, images)
            for images in _STARTS
        }
        for case in _cases(setting)
    }
    return Page(
        "start",
        "Fine-tuning from masks and from calibrated weights",
        (_table(subject.label, found),),
        _picture(found),
        "Top-1 after fine-tuning from either start",
        (
            setting.describe_tuning(NETWORK),
            _NOTE.format(seeds=seeds, count=COUNT),
        ),
        {
            f"1×{n} p{p:g}": {_STARTS[images]: each for images, each in starts.items()}
            for (n, p), starts in found.items()
        },
    )


def _top1(found: list[Result]) -> list[float]:
    return [each["top1"] for each in found]


def _table(label: str, found: Found) -> Table:
    rows = []
    for (n, p), by_start in found.items():
        gain = statistics.difference(*(_top1(by_start[i]) for i in (COUNT, 0)))
        rows.append(
            (
                f"1×{n}",
                f"{100 * p:.0f} %",
                *(f"{100 * by_start[i][0]['top1_masked']:.1f}" for i in _STARTS),
                *(statistics.mean(_top1(by_start[i])).percent() for i in _STARTS),
                gain.points(),
            )
        )
    before = (f"before, {name}" for name in _STARTS.values())
    after = (f"tuned, {name}" for name in _STARTS.values())
    header = ("blocks", "p", *before, *after, "calibrated over masks")
    return Table(label, header, tuple(rows))


def _picture(found: Found) -> bytes:
    figure, (axes,) = drawing.panels(1, (1.2 * len(found) + 2.4, 3.4))
    for index, (images, name) in enumerate(_STARTS.items()):
        drawing.top1_bars(
            axes,
            drawing.beside(len(found), index, len(_STARTS)),
            [_top1(by_start[images]) for by_start in found.values()],
            width=0.38,
            label=name,
            color=_COLOURS[images],
        )
    axes.set_xticks(range(len(found)), [f"1×{n}, {100 * p:.0f} %" for n, p in found])
    axes.legend(frameon=False)
    return png(figure)


START = Experiment(
    "start",
    "fine-tuning from masks or from calibrated weights, MobileNetV2",
    _jobs,
    _page,
)
