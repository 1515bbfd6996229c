"""How fast networks run as TVM builds, beside dense ones on XNNPACK.

Each file, dense and pruned in 1xN blocks, is built with TVM, for its virtual machine
and as a plan. The builds, the same files with the delegate, and the dense file in stock
LiteRT take turns, each in a process of its own. So do plans of the paper's rivals:
weight-pruned files, whose kernels are CSR, and filter-pruned ones, which are smaller
dense networks. Weights are random, filters are not rearranged.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Mapping, Sequence

import numpy as np

from tfmot_onexn.benchmark import artifacts, paired, runtimes
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.experiments.speed import model_speed, turns
from tfmot_onexn.experiments.speed.model_speed import Case, Key, Plan
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tvm import builds

PLANS = (
    Plan("mobilenet", ((16, 0.5), (16, 0.75)), rounds=20),
    Plan(
        "mobilenet_v2",
        ((16, 0.5), (16, 0.75), (16, 0.9), (8, 0.5), (4, 0.5)),
        rounds=20,
        rivals=tuple(
            Variant(method, p) for p in (0.5, 0.75) for method in ("weight", "filter")
        ),
    ),
    Plan("mobilenet_v3_large", ((16, 0.5), (16, 0.75)), rounds=20),
    Plan("resnet50", ((16, 0.6),), windows=True, rounds=8, runs=3),
)
QUICK = (
    Plan(
        *("mobilenet_v2", ((16, 0.75),)),
        rounds=4,
        runs=3,
        rivals=(Variant("weight", 0.75),),
    ),
)

# ways to run a file: the runtime and its threads
Way = tuple[str, int]
STOCK, DELEGATE = "litert", "litert+delegate"
BASE: Way = (STOCK, 1)
PLAN: Way = (runtimes.TVM_PLAN, 1)
_VM: Way = (runtimes.TVM_VM, 1)
_TWO: Way = (runtimes.TVM_PLAN, 2)
_WAYS = ((DELEGATE, 1), _VM, PLAN, _TWO)
Milliseconds = dict[tuple[Key, Way], np.ndarray]


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
class RivalResult:
    """What was measured of a plan in 1xN blocks and one pruned in another way.

    Attributes:
      network: by name.
      n: output channels per block.
      method: the other way.
      sparsity: of both.
      plan_ms: the median in blocks.
      rival_ms: that of the other.
      over_rival: how much faster the one in blocks is.
    """

    network: str
    n: int
    method: str
    sparsity: float
    plan_ms: float
    rival_ms: float
    over_rival: Ratio


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of a plan: the dense file's median, results and rows."""

    plan: Plan
    dense_ms: float
    files: list[FileResult]
    rivals: list[RivalResult]
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
    ways: dict[Key, Sequence[Way]] = {None: _WAYS}
    ways |= dict.fromkeys(plan.cases, _WAYS)
    ways |= dict.fromkeys(plan.rivals, (PLAN,))
    rows, milliseconds = time_files(plan, ways, seed, track)
    return Measured(
        plan,
        float(np.median(milliseconds[None, BASE])),
        [_result(plan, case, milliseconds) for case in (None, *plan.cases)],
        [
            _beside(plan, case, rival, milliseconds)
            for case in plan.cases
            for rival in plan.rivals
            if case == (16, rival.sparsity)
        ],
        rows,
    )


def time_files(
    plan: Plan, ways: Mapping[Key, Sequence[Way]], seed: int, track: Track
) -> tuple[list[Row], Milliseconds]:
    """Builds files with TVM and times them in some ways; see `turns.time_jobs`.

    Args:
      plan: of the files.
      ways: of each; the dense file runs in stock LiteRT too.
      seed: of weights and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if one cannot be built or run.
    """
    with tempfile.TemporaryDirectory() as folder:
        written = model_speed.build_files(plan, pathlib.Path(folder), seed, track)
        jobs: list[tuple[tuple[Key, Way], Job, Row]] = []
        shown = track(written.items(), len(written), "Building with TVM")
        for key, (path, row) in shown:
            base = [BASE] if key is None else []
            for way, job, of_job in _jobs(path, row, [*base, *ways[key]]):
                jobs.append(((key, way), job, of_job))
        return turns.time_jobs(
            *(plan.network, jobs, (None, BASE)),
            rounds=plan.rounds,
            runs=plan.runs,
            seed=seed,
            track=track,
        )


def _jobs(path: str, row: Row, ways: Sequence[Way]) -> list[tuple[Way, Job, Row]]:
    """Builds a file for the runtimes of some ways; returns a job and a row of each."""
    built = {
        runtime: str(artifacts.built_for(pathlib.Path(path), runtime))
        for runtime in dict.fromkeys(runtime for runtime, _ in ways)
        if runtimes.is_tvm(runtime)
    }
    jobs = []
    for runtime, threads in ways:
        artifact = built.get(runtime, path)
        named = dataclasses.replace(row, artifact=pathlib.Path(artifact).name)
        named.size_bytes = builds.size(artifact)
        jobs.append(((runtime, threads), Job(artifact, runtime, threads), named))
    return jobs


def _result(plan: Plan, case: Case | None, milliseconds: Milliseconds) -> FileResult:
    dense, own = milliseconds[None, BASE], milliseconds[case, PLAN]
    n, sparsity = (None, 0.0) if case is None else case
    return FileResult(
        network=plan.network,
        n=n,
        sparsity=sparsity,
        plan_ms=float(np.median(own)),
        plan=paired.ratio(dense, own),
        machine=paired.ratio(dense, milliseconds[case, _VM]),
        delegate=paired.ratio(dense, milliseconds[case, (DELEGATE, 1)]),
        over_dense_plan=paired.ratio(milliseconds[None, PLAN], own),
        two_threads=paired.ratio(own, milliseconds[case, _TWO]),
    )


def _beside(
    plan: Plan, case: Case, rival: Variant, milliseconds: Milliseconds
) -> RivalResult:
    own, other = milliseconds[case, PLAN], milliseconds[rival, PLAN]
    return RivalResult(
        network=plan.network,
        n=case[0],
        method=rival.method,
        sparsity=rival.sparsity,
        plan_ms=float(np.median(own)),
        rival_ms=float(np.median(other)),
        over_rival=paired.ratio(other, own),
    )
