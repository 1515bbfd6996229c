"""How fast networks run with the delegate, beside dense ones on XNNPACK.

For a network, n and sparsity, the file pruned in 1xN blocks runs in LiteRT with the
delegate, and without; the dense file runs in LiteRT. Each has a process of its own, and
they take turns. With the delegate the file also runs on the next narrower ISA and on
two threads, as does the dense file, which shows what the machine's second core gives.
Weights are random, filters are not rearranged.
"""

import dataclasses
import pathlib
import tempfile
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.benchmark import artifacts, paired
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.experiments.speed import load_cost, turns
from tfmot_onexn.experiments.speed.load_cost import Cost
from tfmot_onexn.networks import models
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.pruning.variants import Variant
from tfmot_onexn.tflite import convert

# ways to run a file
DENSE, STOCK, DELEGATE = "dense", "stock", "delegate"
NARROW, TWO = "narrow", "two threads"
# as rows name what a library was built for
_TARGETS = {"avx2": "x86-64-v3"}
Case = tuple[int, float]
# of a file: its n and sparsity, another way to prune, or None for the dense one
Key: TypeAlias = Case | Variant | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """What to measure of a network.

    Attributes:
      network: by name.
      cases: n and sparsity of each file.
      rivals: files that are pruned in other ways.
      windows: prune the convolutions with a larger window too.
      gate: whether it is only asked if the delegate is ever slower.
      size: height and width of the images.
      alpha: width multiplier.
      rounds: turns of each file.
      runs: timed inferences of a turn.
      loads: counted loads of a file; none for 0.
    """

    network: str
    cases: tuple[Case, ...]
    windows: bool = False
    gate: bool = False
    size: int = 224
    alpha: float = 1.0
    rounds: int = 30
    runs: int = 5
    loads: int = 5
    rivals: tuple[Variant, ...] = ()


PLANS = (
    Plan("mobilenet", ((16, 0.5), (16, 0.75), (16, 0.9))),
    Plan(
        "mobilenet_v2",
        ((16, 0.5), (16, 0.75), (16, 0.9), (8, 0.5), (4, 0.5), (4, 0.75)),
    ),
    Plan("mobilenet_v3_large", ((16, 0.5), (16, 0.75))),
    Plan("resnet50", ((16, 0.6), (16, 0.75)), windows=True, rounds=15, runs=3),
    Plan(
        "mobilenet_v2",
        (
            *((n, p) for n in (1, 2, 4, 8) for p in (0.3, 0.5)),
            *((n, 0.75) for n in (1, 2)),
            *((n, 0.3) for n in (16, 32)),
        ),
        gate=True,
        loads=0,
    ),
)
QUICK = (
    Plan("mobilenet_v2", ((16, 0.5),), rounds=5, runs=5, loads=1),
    Plan("mobilenet_v2", ((1, 0.3),), gate=True, rounds=5, runs=5, loads=0),
)


@dataclasses.dataclass(frozen=True)
class FileResult:
    """What was measured of a pruned file.

    Attributes:
      network: by name.
      n: output channels per block.
      sparsity: share of blocks that are zero in pruned layers.
      dense_ms: the dense file's median.
      stock_ms: this file's without the delegate.
      delegate_ms: this file's with it.
      stock: how much faster this file is without the delegate than the dense one.
      delegate: the same with it.
      narrow: the same with it on a narrower ISA.
      two_threads: how much faster two threads are than one, with the delegate.
      dense_two_threads: the same of the dense file.
    """

    network: str
    n: int
    sparsity: float
    dense_ms: float
    stock_ms: float
    delegate_ms: float
    stock: Ratio
    delegate: Ratio
    narrow: Ratio | None
    two_threads: Ratio | None
    dense_two_threads: Ratio | None


@dataclasses.dataclass(frozen=True)
class Measured:
    """What was measured of a plan.

    Attributes:
      plan: see there.
      rows: one for each file in each way to run it.
      files: the pruned ones.
      loads: what loading costs, by `DENSE`, and of the first pruned file by `STOCK`
        and `DELEGATE`.
    """

    plan: Plan
    rows: list[Row]
    files: list[FileResult]
    loads: dict[str, Cost]


def measure(
    plan: Plan,
    narrow_isa: str | None = None,
    *,
    seed: int = 0,
    track: Track = untracked,
) -> Measured:
    """Builds the files of a plan and times them.

    Args:
      plan: what to measure.
      narrow_isa: of the delegate, to be measured too.
      seed: of weights and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if a file fails in one of the ways.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = build_files(plan, pathlib.Path(folder), seed, track)
        rows, milliseconds = turns.time_jobs(
            plan.network,
            list(_jobs(plan, files, narrow_isa)),
            (None, DENSE),
            rounds=plan.rounds,
            runs=plan.runs,
            seed=seed,
            track=track,
        )
        loads = _loads(plan, files, track)
    results = [_result(plan, case, milliseconds) for case in plan.cases]
    return Measured(plan, rows, results, loads)


def build_files(
    plan: Plan, folder: pathlib.Path, seed: int = 0, track: Track = untracked
) -> dict[Key, tuple[str, Row]]:
    """Writes the files of a plan.

    Returns:
      Path and row of the dense file, the pruned ones and the rivals, in this order.
    """
    model = models.build(
        plan.network,
        input_shape=(plan.size, plan.size, 3),
        alpha=plan.alpha,
        seed=seed,
    )
    keys: tuple[Key, ...] = (None, *plan.cases, *plan.rivals)
    files = {}
    for key in track(keys, len(keys), f"Building {plan.network}"):
        variant = _variant(key)
        parts = variant.method, variant.n, variant.sparsity
        path = folder / f"{plan.network}_{'_'.join(map(str, parts))}.tflite"
        final = _finished(model, variant, plan.windows)
        convert.convert_to_tflite(final, path)
        row = dataclasses.replace(artifacts.row_of(path), **variant.row())
        row.model, row.weights, row.seed = plan.network, "random", seed
        files[key] = str(path), row
    return files


def _variant(key: Key) -> Variant:
    if key is None:
        return Variant("dense")
    if isinstance(key, Variant):
        return key
    n, sparsity = key
    return Variant("onexn", sparsity, n, rearrange="none")


def _finished(model: tf_keras.Model, variant: Variant, windows: bool) -> tf_keras.Model:
    """Returns a variant of a model to convert."""
    if variant.method == "onexn" and windows:
        pruned = prune.prune_low_magnitude_1xN(
            *(model, variant.n, OneShot(variant.sparsity), policy.PruneConvolutions()),
            rearrange="none",
        )
        return prune.strip_pruning(pruned)
    return variant.finish(variant.prune(model))


def _jobs(
    plan: Plan, files: dict[Key, tuple[str, Row]], narrow_isa: str | None
) -> Iterator[tuple[tuple[Key, str], Job, Row]]:
    """Yields the ways to run the files: a key, the job, and a row of its own."""
    for case, (path, row) in files.items():
        with_delegate = Job(path, "litert+delegate")
        ways = {DENSE: Job(path, "litert")}
        if case is not None:
            ways = {STOCK: ways[DENSE], DELEGATE: with_delegate}
            if not plan.gate and narrow_isa is not None:
                ways[NARROW] = dataclasses.replace(with_delegate, isa=narrow_isa)
        if not plan.gate:
            fastest = ways[DENSE if case is None else DELEGATE]
            ways[TWO] = dataclasses.replace(fastest, threads=2)
        for way, job in ways.items():
            target = _TARGETS.get(job.isa or "", row.target)
            yield (case, way), job, dataclasses.replace(row, target=target)


def _loads(
    plan: Plan, files: dict[Key, tuple[str, Row]], track: Track
) -> dict[str, Cost]:
    """Returns what loading costs, of the dense file and the first pruned one."""
    if not plan.loads:
        return {}
    dense, pruned = files[None][0], files[plan.cases[0]][0]
    ways = {DENSE: (dense, False), STOCK: (pruned, False), DELEGATE: (pruned, True)}
    return load_cost.measure(ways, rounds=plan.loads, track=track)


def _result(
    plan: Plan,
    case: Case,
    milliseconds: dict[tuple[Key, str], np.ndarray],
) -> FileResult:
    dense = milliseconds[None, DENSE]
    stock, delegate = milliseconds[case, STOCK], milliseconds[case, DELEGATE]
    narrow, two = milliseconds.get((case, NARROW)), milliseconds.get((case, TWO))
    dense_two = milliseconds.get((None, TWO))
    return FileResult(
        network=plan.network,
        n=case[0],
        sparsity=case[1],
        dense_ms=float(np.median(dense)),
        stock_ms=float(np.median(stock)),
        delegate_ms=float(np.median(delegate)),
        stock=paired.ratio(dense, stock),
        delegate=paired.ratio(dense, delegate),
        narrow=None if narrow is None else paired.ratio(dense, narrow),
        two_threads=None if two is None else paired.ratio(delegate, two),
        dense_two_threads=None if dense_two is None else paired.ratio(dense, dense_two),
    )
