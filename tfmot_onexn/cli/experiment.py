"""``onexn experiment``."""

import argparse
import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import rich.console
import rich.progress

from tfmot_onexn.cli import common

if TYPE_CHECKING:
    from tfmot_onexn.experiments.papers.jobs import Job
    from tfmot_onexn.experiments.papers.pages import Page
    from tfmot_onexn.experiments.papers.settings import Setting

# names and what they are, known before anything heavy is imported; tested equal
_NAMES = {
    "table1": "rearrangement on and off over N, MobileNetV2",
    "table2": "dense, weight, filter and 1×2 to 1×32 over the MobileNets",
    "fig2b": "l1 norm kept in each layer, with and without rearrangement",
    "fig4": "accuracy over p, MobileNet and MobileNetV2",
    "fig5": "accuracy against the artifacts' measured latency, MobileNetV2",
    "subp": "from scratch against 1×N fine-tuned, N = 16 and 32",
    "balance": "block rows over 1 to 8 threads: plain, sorted, uniform",
    "one_shot": "right after pruning, weights solved on unlabelled images",
    "start": "fine-tuning from masks or from calibrated weights, MobileNetV2",
}


def add(commands) -> None:
    """Adds the command to the parser."""
    listed = "; ".join(f"{name}: {text}" for name, text in _NAMES.items())
    parser = common.add_command(
        commands,
        "experiment",
        run,
        "Repeat a table or figure of the papers: train, measure, and write a page.",
        f"{listed}. Each training leaves a file in DIR/jobs; the same command goes on "
        "where it was interrupted, and experiments share what they have in common.",
    )
    parser.add_argument("name", metavar="NAME", choices=list(_NAMES))
    parser.add_argument(
        "--setting",
        choices=("small", "papers"),
        default="small",
        help="small: narrow networks on small images, hours on 2 cores; papers: as "
        "published, ImageNet weights and a folder of ImageNet for --data",
    )
    parser.add_argument(
        "--quick", action="store_true", help="minutes, to see that it runs"
    )
    parser.add_argument(
        "--data", help=f"{common.DATA_HELP}; cifar10, or digits if quick"
    )
    parser.add_argument("--seeds", type=int, default=3, help="of each training")
    parser.add_argument(
        "--networks", nargs="+", metavar="NETWORK", help="only these of several"
    )
    parser.add_argument(
        "--sizes", nargs="+", type=int, metavar="N", help="only these sizes of blocks"
    )
    parser.add_argument(
        "--sparsities", nargs="+", type=float, metavar="P", help="only these p"
    )
    parser.add_argument("--out", default="experiments", metavar="DIR")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NETWORK[:ALPHA]=FILE",
        help="dense weights of a network, in place of training it",
    )
    parser.add_argument(
        "--input-size", type=int, help="of images; 224 with --weights, else 32"
    )
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="trainings at a time"
    )
    common.add_strategy(parser)
    parser.add_argument(
        "--into", metavar="FILE", help="put it between <!-- NAME --> markers"
    )


def run(arguments: argparse.Namespace) -> int:
    """Runs an experiment, prints its page and writes it."""
    common.load_tensorflow()
    from tfmot_onexn.experiments.papers import registry
    from tfmot_onexn.experiments.papers.workshop import Sources
    from tfmot_onexn.pruning import distribution

    setting = _setting(arguments)
    seeds = 1 if arguments.quick else arguments.seeds
    if seeds < 1 or arguments.processes < 1:
        raise ValueError("--seeds and --processes take whole numbers of at least 1.")
    weights = tuple((n, path) for n, _, path in _weights(arguments.weights))
    sources = Sources(
        pathlib.Path(arguments.out) / "jobs", arguments.data or setting.data, weights
    )
    several = arguments.strategy != "none"
    with (
        distribution.strategy(arguments.strategy) as strategy,
        _progress(arguments.name) as progress,
    ):
        page = registry.run(
            arguments.name,
            setting,
            sources,
            seeds=seeds,
            processes=1 if several else arguments.processes,
            strategy=strategy if several else None,
            progress=progress,
        )
    if page is not None:
        done_by = registry.provenance(arguments.name, setting, sources.folder, seeds)
        _publish(arguments, page, f"`{_command(arguments)}`, {done_by}")
    return 0


def _publish(arguments: argparse.Namespace, page: "Page", done_by: str) -> None:
    console = rich.console.Console()
    page.show(console)
    console.print(done_by, style="dim", highlight=False)
    written = page.write(pathlib.Path(arguments.out), done_by)
    names = ", ".join(map(str, written))
    console.print(f"Page: {names}", highlight=False, soft_wrap=True)
    if arguments.into:
        page.put_into(pathlib.Path(arguments.into), done_by)


def _command(arguments: argparse.Namespace) -> str:
    """Returns a command that repeats an experiment where its files lie at hand."""
    parts = ["onexn experiment", arguments.name]
    if arguments.quick:
        parts.append("--quick")
    elif arguments.setting != "small":
        parts.append(f"--setting {arguments.setting}")
    if arguments.data:
        parts.append(f"--data {pathlib.Path(arguments.data).name}")
    for label, _, path in (text.partition("=") for text in arguments.weights):
        parts.append(f"--weights {label}={pathlib.Path(path).name}")
    if arguments.input_size:
        parts.append(f"--input-size {arguments.input_size}")
    for option in ("networks", "sizes", "sparsities"):
        if getattr(arguments, option):
            parts += [f"--{option}", *map(str, getattr(arguments, option))]
    if not arguments.quick:
        parts.append(f"--seeds {arguments.seeds}")
    return " ".join(parts)


def _setting(arguments: argparse.Namespace) -> "Setting":
    from tfmot_onexn.experiments.papers.settings import SETTINGS

    setting = SETTINGS["quick" if arguments.quick else arguments.setting]
    if not (arguments.data or setting.data):
        raise ValueError(
            f"The setting {setting.name!r} trains on ImageNet: give a folder of "
            "train/class/*.jpg and val/class/*.jpg with --data."
        )
    given = _weights(arguments.weights)
    alphas = {**dict(setting.alphas), **{name: alpha for name, alpha, _ in given}}
    networks = _among("--networks", arguments.networks, list(alphas))
    sizes = _among("--sizes", arguments.sizes, setting.sizes)
    sparsities = _among("--sparsities", arguments.sparsities, setting.sparsities)
    # names, not places: results depend on what the files hold
    data = pathlib.Path(arguments.data).stem if arguments.data else setting.data
    size = arguments.input_size or (224 if given else setting.image_size)
    return dataclasses.replace(
        setting,
        data=data,
        image_size=size,
        alphas=tuple((name, alphas[name]) for name in networks),
        sizes=tuple(sizes),
        sparsities=tuple(sparsities),
        given=tuple((name, pathlib.Path(path).stem) for name, _, path in given),
    )


def _among(
    option: str, chosen: Sequence[Any] | None, known: Sequence[Any]
) -> list[Any]:
    """Returns what an option narrows its default to, in the default's order."""
    unknown = [each for each in chosen or () if each not in known]
    if unknown:
        raise ValueError(
            f"{option} takes some of {', '.join(map(str, known))}; found {unknown[0]}."
        )
    return [each for each in known if chosen is None or each in chosen]


def _weights(texts: Sequence[str]) -> list[tuple[str, float, str]]:
    """Returns network, width multiplier and file of each ``NETWORK[:ALPHA]=FILE``."""
    from tfmot_onexn.networks import models

    found = []
    for text in texts:
        label, _, path = text.partition("=")
        name, _, alpha = label.partition(":")
        if name not in models.NETWORKS or not path:
            raise ValueError(
                "--weights takes NETWORK=FILE or NETWORK:ALPHA=FILE, with one of the "
                f"networks {', '.join(models.NETWORKS)}; found {text!r}."
            )
        try:
            found.append((name, float(alpha or 1.0), path))
        except ValueError as error:
            raise ValueError(
                f"The width multiplier in --weights {text} is no number."
            ) from error
    return found


@contextlib.contextmanager
def _progress(
    name: str,
) -> "Iterator[Callable[[int, Sequence[Job]], Callable[[Job], None]]]":
    """Yields what shows the jobs that are done, and for how long the others take."""
    bar = rich.progress.Progress(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
        rich.progress.TextColumn("left:"),
        rich.progress.TimeRemainingColumn(elapsed_when_finished=False),
        console=rich.console.Console(stderr=True),
        # the last few jobs of a kind tell best how long the next one takes
        speed_estimate_period=600,
    )

    def start(total: "int", missing: "Sequence[Job]") -> "Callable[[Job], None]":
        task = bar.add_task(name, total=total, completed=total - len(missing))

        def done(job: "Job") -> None:
            bar.update(task, advance=1, description=f"{name}: {job.label()}")

        return done

    with bar:
        yield start
