"""How fast networks run as TVM builds, beside dense ones on XNNPACK.

Each file, dense and pruned in 1xN blocks, is built with TVM, for its virtual machine
and as a plan. The builds, the same files with the delegate, and the dense file in stock
LiteRT take turns, each in a process of its own. Weights are random, filters are not
rearranged. Prints a table, writes ``tvm_speed.json`` and renews the table of a README.

Run as ``python -m tfmot_onexn.experiments.tvm_speed [--quick]``.
"""

import argparse
import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Sequence

import numpy as np
import rich.console
import rich.progress

from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark import paired, runtimes
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.benchmark.rows import Row, to_json
from tfmot_onexn.experiments import model_speed, tables, turns
from tfmot_onexn.experiments.model_speed import Case, Plan
from tfmot_onexn.experiments.tables import Table, percent
from tfmot_onexn.networks import files
from tfmot_onexn.tvm import build, builds

MARKERS = ("<!-- bench-tvm -->", "<!-- /bench-tvm -->")
PLANS = (
    Plan("mobilenet", ((16, 0.5), (16, 0.75)), rounds=20),
    Plan(
        "mobilenet_v2",
        ((16, 0.5), (16, 0.75), (16, 0.9), (8, 0.5), (4, 0.5)),
        rounds=20,
    ),
    Plan("mobilenet_v3_large", ((16, 0.5), (16, 0.75)), rounds=20),
    Plan("resnet50", ((16, 0.6),), windows=True, rounds=8, runs=3),
)
QUICK = (Plan("mobilenet_v2", ((16, 0.75),), rounds=4, runs=3),)

_STOCK, _DELEGATE = "litert", "litert+delegate"
# ways to run a file: the runtime and its threads
_BASE = (_STOCK, 1)
_VM, _PLAN = (runtimes.TVM_VM, 1), (runtimes.TVM_PLAN, 1)
_TWO = (runtimes.TVM_PLAN, 2)
_WAYS = ((_DELEGATE, 1), _VM, _PLAN, _TWO)
_WIDTH = 130


@dataclasses.dataclass(frozen=True)
class FileResult:
    """What was measured of a file.

    Attributes:
      network: by name.
      n: output channels per block, None for the dense file.
      sparsity: share of blocks that are zero in pruned layers.
      plan_ms: the plan's median.
      plan: how much faster it is than the dense file in stock LiteRT.
      machine: the same of the library in TVM's virtual machine.
      delegate: the same of the file with the delegate.
      over_dense_plan: how much faster the plan is than the dense one.
      two_threads: how much faster the plan is on two threads than on one.
    """

    network: str
    n: int | None
    sparsity: float
    plan_ms: float
    plan: Ratio
    machine: Ratio
    delegate: Ratio
    over_dense_plan: Ratio
    two_threads: Ratio


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of a plan: the dense file's median, results and rows."""

    plan: Plan
    dense_ms: float
    files: list[FileResult]
    rows: list[Row]


def measure(plan: Plan, *, seed: int = 0, track: Track = untracked) -> Measured:
    """Builds the files of a plan and times them.

    Args:
      plan: what to measure.
      seed: of weights and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if one cannot be built or run.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = model_speed.build_files(plan, pathlib.Path(folder), seed, track)
        rows, milliseconds = turns.time_jobs(
            plan.network,
            _jobs(written, track),
            (None, _BASE),
            rounds=plan.rounds,
            runs=plan.runs,
            seed=seed,
            track=track,
        )
    dense = milliseconds[None, _BASE]
    results = [_result(plan, case, milliseconds) for case in written]
    return Measured(plan, float(np.median(dense)), results, rows)


def _jobs(
    written: dict[Case | None, tuple[str, Row]], track: Track
) -> list[tuple[tuple[Case | None, tuple[str, int]], Job, Row]]:
    """Builds each file; returns the ways to run it: a key, the job and a row."""
    jobs = []
    for case, (path, row) in track(written.items(), len(written), "Building with TVM"):
        of_runtime = {_STOCK: path, _DELEGATE: path}
        for runtime, suffix, format_ in (
            (runtimes.TVM_VM, ".so", builds.VM),
            (runtimes.TVM_PLAN, ".plan", builds.PLAN),
        ):
            of_runtime[runtime] = str(pathlib.Path(path).with_suffix(suffix))
            build.build_tvm(path, of_runtime[runtime], format=format_)
        ways = [_BASE, *_WAYS] if case is None else list(_WAYS)
        for runtime, threads in ways:
            artifact = of_runtime[runtime]
            job = Job(artifact, runtime, threads)
            named = dataclasses.replace(row, artifact=pathlib.Path(artifact).name)
            named.size_bytes = builds.size(artifact)
            jobs.append(((case, (runtime, threads)), job, named))
    return jobs


def _result(
    plan: Plan,
    case: Case | None,
    milliseconds: dict[tuple[Case | None, tuple[str, int]], np.ndarray],
) -> FileResult:
    dense = milliseconds[None, _BASE]
    n, sparsity = (None, 0.0) if case is None else case
    return FileResult(
        network=plan.network,
        n=n,
        sparsity=sparsity,
        plan_ms=float(np.median(milliseconds[case, _PLAN])),
        plan=paired.ratio(dense, milliseconds[case, _PLAN]),
        machine=paired.ratio(dense, milliseconds[case, _VM]),
        delegate=paired.ratio(dense, milliseconds[case, (_DELEGATE, 1)]),
        over_dense_plan=paired.ratio(
            milliseconds[None, _PLAN], milliseconds[case, _PLAN]
        ),
        two_threads=paired.ratio(milliseconds[case, _PLAN], milliseconds[case, _TWO]),
    )


def table(measured: Sequence[Measured]) -> Table:
    """Returns how fast networks run."""
    rows = [
        (
            file.network,
            "dense" if file.n is None else str(file.n),
            percent(file.sparsity),
            f"{each.dense_ms:.2f}",
            f"{file.plan_ms:.2f}",
            str(file.plan),
            f"{file.machine.value:.2f}×",
            f"{file.delegate.value:.2f}×",
            f"{file.over_dense_plan.value:.2f}×",
            f"{file.two_threads.value:.2f}×",
        )
        for each in measured
        for file in each.files
    ]
    header = (
        *("network", "N", "zeros", "dense in LiteRT, ms", "plan, ms"),
        *("plan over dense LiteRT", "virtual machine over it", "delegate over it"),
        *("plan over dense plan", "plan, two threads over one"),
    )
    return Table("Networks built with TVM", header, tuple(rows))


def caption(measured: Sequence[Measured], machine: dict) -> str:
    """Returns how it was measured, and on what."""
    plans = [(each.plan.rounds, each.plan.runs) for each in measured]
    return turns.caption(
        plans, [row for each in measured for row in each.rows], machine
    )


def readme_text(measured: Sequence[Measured], machine: dict) -> str:
    """Returns the table of the README."""
    return "\n".join(
        [
            table(measured).markdown(),
            "Batch 1, 224×224, one thread, random weights, no rearrangement; 1×1 "
            "convolutions but the classifier pruned, of ResNet50 3×3 too. Ratios of "
            "medians, with a paired 95 % bootstrap interval over the dense file in "
            "stock LiteRT (XNNPACK). Nothing is tuned for a network.\n",
            f"{caption(measured, machine)} Again: `make bench-tvm`.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a trial in a minute")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"))
    parser.add_argument("--readme", type=pathlib.Path, help="whose table to renew")
    arguments = parser.parse_args(argv)
    machine = machine_lib.describe()
    plans = QUICK if arguments.quick else PLANS
    measured = [measure(plan, track=_track) for plan in plans]
    console = rich.console.Console(width=_WIDTH)
    console.print(table(measured).for_terminal())
    console.print(caption(measured, machine), style="dim", highlight=False)
    arguments.out.mkdir(parents=True, exist_ok=True)
    written = arguments.out / "tvm_speed.json"
    document = to_json(
        machine,
        [row for each in measured for row in each.rows],
        comparisons=[
            dataclasses.asdict(file) for each in measured for file in each.files
        ],
    )
    files.write(written, document.encode())
    console.print(f"Written: {written}", highlight=False)
    if arguments.readme:
        text = readme_text(measured, machine)
        tables.replace_between(arguments.readme, MARKERS, text)


def _track(items: Iterable, total: int, description: str) -> Iterable:
    return rich.progress.track(items, description, total)


if __name__ == "__main__":
    main()
