"""How fast 1xN networks run in TVM beside TVM's own dense operators, tuned.

MetaSchedule tunes the operators of the dense network for this machine, on one thread.
The network as it builds it, our dense build, our build of the pruned network, and the
dense file in stock LiteRT take turns, each in a process of its own; builds run as
plans, and in TVM's virtual machine. Weights are random. What was tried is kept, so that
an interrupted search goes on. Prints a table and writes ``dense_rival.json``.

Run as ``python -m tfmot_onexn.experiments.speed.dense_rival [--quick] [--trials N]``.
"""

import argparse
import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
import rich.console
import rich.progress

from tfmot_onexn.benchmark import artifacts, latency, paired, runtimes
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.benchmark.rows import Row, to_json
from tfmot_onexn.experiments import tables
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.networks import files, models
from tfmot_onexn.pruning import prune
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import build, builds, source

DENSE, ONEXN, RIVAL = "dense", "onexn", "tuned TVM"
_FORMATS = {
    runtimes.TVM_PLAN: (builds.PLAN, ".plan"),
    runtimes.TVM_VM: (builds.VM, ".so"),
}
_STOCK = DENSE, "litert"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
      network: by name.
      n: output channels per block.
      sparsity: share of zero blocks.
      trials: of the search for the dense network.
      size: height and width of images.
      alpha: width multiplier.
      rounds: turns of each artifact.
      runs: timed inferences of a turn.
    """

    network: str = "mobilenet_v2"
    n: int = 16
    sparsity: float = 0.5
    trials: int = 1680
    size: int = 224
    alpha: float = 1.0
    rounds: int = 20
    runs: int = 5


QUICK = Plan("mobilenet", trials=32, size=32, alpha=0.25, rounds=4, runs=3)


@dataclasses.dataclass(frozen=True)
class Result:
    """What was measured of a network in a runtime.

    Attributes:
      name: of the network: `DENSE`, `ONEXN` or `RIVAL`.
      runtime: that ran it.
      median_ms: of one inference.
      over_stock: how much faster it is than the dense file in stock LiteRT.
      onexn_over: how much faster our pruned network is in the same runtime.
    """

    name: str
    runtime: str
    median_ms: float
    over_stock: Ratio
    onexn_over: Ratio


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured, and what the search took: trials and seconds."""

    plan: Plan
    trials: int
    seconds: float
    stock_ms: float
    results: list[Result]
    rows: list[Row]


def measure(
    plan: Plan, folder: pathlib.Path, *, seed: int = 0, track: Track = untracked
) -> Measured:
    """Searches, builds and times.

    Args:
      plan: what to measure.
      folder: keeps what the search tried.
      seed: of weights, the search, and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if something cannot be built or run.
    """
    with tempfile.TemporaryDirectory() as temporary:
        paths = _files(plan, pathlib.Path(temporary), seed)
        search = _search(plan, paths[DENSE], folder, seed)
        jobs = _jobs(plan, paths, folder)
        timings = latency.measure(
            list(jobs.values()),
            runs=plan.rounds * plan.runs,
            rounds=plan.rounds,
            seed=seed,
            track=track,
        )
        rows = {key: _row(plan, key, job, seed) for key, job in jobs.items()}
    milliseconds = {}
    for (key, job), timing in zip(jobs.items(), timings, strict=True):
        if timing.error is not None:
            raise ValueError(f"{plan.network}, {key[0]} in {key[1]}: {timing.error}")
        artifacts.record(rows[key], job, timing)
        milliseconds[key] = np.array(timing.milliseconds).reshape(plan.rounds, -1)
    stock = milliseconds[_STOCK]
    for key, row in rows.items():
        row.speedup = float(np.median(stock) / np.median(milliseconds[key]))
    results = [
        Result(
            *key,
            float(np.median(times)),
            paired.ratio(stock, times),
            paired.ratio(times, milliseconds[ONEXN, key[1]]),
        )
        for key, times in milliseconds.items()
        if key != _STOCK
    ]
    return Measured(
        plan,
        search.trials,
        search.seconds,
        float(np.median(stock)),
        results,
        list(rows.values()),
    )


def _files(plan: Plan, folder: pathlib.Path, seed: int) -> dict[str, pathlib.Path]:
    """Writes the dense network and the pruned one."""
    model = models.build(
        plan.network,
        input_shape=(plan.size, plan.size, 3),
        alpha=plan.alpha,
        seed=seed,
    )
    pruned = prune.prune_low_magnitude_1xN(
        model, plan.n, OneShot(plan.sparsity), rearrange="none"
    )
    paths = {}
    for name, each in ((DENSE, model), (ONEXN, prune.strip_pruning(pruned))):
        paths[name] = folder / f"{plan.network}_{name}.tflite"
        convert.convert_to_tflite(each, paths[name])
    return paths


def _search(plan: Plan, path: pathlib.Path, folder: pathlib.Path, seed: int):
    # TVM's modules not before they are needed: `--help` does without
    from tfmot_onexn.tvm import metaschedule

    with rich.progress.Progress(
        *rich.progress.Progress.get_default_columns(),
        rich.progress.MofNCompleteColumn(),
        console=rich.console.Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("Tuning TVM's operators", total=plan.trials)
        return metaschedule.tune(
            path,
            folder,
            trials=plan.trials,
            seed=seed,
            progress=lambda done, total: progress.update(task, completed=done),
        )


def _jobs(
    plan: Plan, paths: dict[str, pathlib.Path], folder: pathlib.Path
) -> dict[tuple[str, str], Job]:
    """Builds networks in every format; returns the jobs by name and runtime."""
    from tfmot_onexn.tvm import metaschedule

    jobs = {_STOCK: Job(str(paths[DENSE]), _STOCK[1])}
    for runtime, (format_, suffix) in _FORMATS.items():
        for name, path in paths.items():
            built = path.with_suffix(suffix)
            build.build_tvm(path, built, format=format_)
            jobs[name, runtime] = Job(str(built), runtime)
        built = paths[DENSE].with_name(f"rival{suffix}")
        given = source.Source(paths[DENSE], plan.network)
        metaschedule.build(given, folder, built, format=format_)
        jobs[RIVAL, runtime] = Job(str(built), runtime)
    return jobs


def _row(plan: Plan, key: tuple[str, str], job: Job, seed: int) -> Row:
    row = artifacts.row_of(job.path)
    row.model, row.weights, row.seed = plan.network, "random", seed
    row.size_bytes = builds.size(job.path)
    if key[0] == ONEXN:
        variant = Variant("onexn", plan.sparsity, plan.n, rearrange="none")
        row = dataclasses.replace(row, **variant.row())
    return row


def table(measured: Measured) -> Table:
    """Returns how fast the networks run."""
    plan = measured.plan
    names = {
        DENSE: "dense, our kernels",
        ONEXN: f"1×{plan.n} at {tables.percent(plan.sparsity)}, our kernels",
        RIVAL: "dense, TVM's operators tuned by MetaSchedule",
    }
    rows = [
        (
            names[each.name],
            each.runtime,
            f"{each.median_ms:.2f}",
            str(each.over_stock),
            str(each.onexn_over),
        )
        for each in measured.results
    ]
    header = (
        *("build", "runtime", "ms", "over dense LiteRT"),
        f"1×{plan.n} in this runtime over it",
    )
    return Table(f"{plan.network} in TVM", header, tuple(rows))


def caption(measured: Measured, machine: dict) -> str:
    """Returns how it was measured, and on what."""
    plan = measured.plan
    noisy = sum(row.status == "noisy" for row in measured.rows)
    disturbed = f" Other processes disturbed {noisy} of {len(measured.rows)}."
    return (
        f"Dense in LiteRT: {measured.stock_ms:.2f} ms. MetaSchedule ran "
        f"{measured.trials} trials in {measured.seconds / 60:.0f} minutes on one "
        f"thread. Rounds × runs: {plan.rounds} × {plan.runs}."
        f"{disturbed if noisy else ''} {machine_lib.one_line(machine)}."
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a trial in a minute")
    parser.add_argument("--trials", type=int, help="of MetaSchedule, in all")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"))
    arguments = parser.parse_args(argv)
    plan = QUICK if arguments.quick else Plan()
    if arguments.trials is not None:
        plan = dataclasses.replace(plan, trials=arguments.trials)
    folder = arguments.out / f"metaschedule_{plan.network}_{plan.size}"
    folder.mkdir(parents=True, exist_ok=True)
    machine = machine_lib.describe()
    measured = measure(plan, folder, track=_track)
    console = rich.console.Console(width=130)
    console.print(table(measured).for_terminal())
    console.print(caption(measured, machine), style="dim", highlight=False)
    document = to_json(
        machine,
        measured.rows,
        trials=measured.trials,
        seconds=measured.seconds,
        comparisons=[dataclasses.asdict(each) for each in measured.results],
    )
    written = arguments.out / "dense_rival.json"
    files.write(written, document)
    console.print(f"Written: {written}", highlight=False, soft_wrap=True)


def _track(items: Iterable, total: int, description: str) -> Iterable:
    return rich.progress.track(items, description, total)


if __name__ == "__main__":
    main()
