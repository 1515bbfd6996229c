"""From which sparsity on a pruned network is faster than dense, as a plan of TVM.

The same network at a few low sparsities. What lies between two of them is a straight
line.
"""

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np

from tfmot_onexn.benchmark import paired
from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.experiments.speed import tvm_models
from tfmot_onexn.experiments.speed.model_speed import Key, Plan

PLAN = Plan("mobilenet_v2", tuple((16, p) for p in (0.05, 0.1, 0.2, 0.3)), rounds=20)
QUICK = Plan("mobilenet_v2", ((16, 0.1), (16, 0.3)), rounds=4, runs=3)


@dataclasses.dataclass(frozen=True)
class Point:
    """What was measured at a sparsity, 0 for the dense network.

    Attributes:
      sparsity: share of blocks that are zero.
      plan_ms: the plan's median.
      over_litert: how much faster it is than the dense file in stock LiteRT.
      over_dense_plan: how much faster it is than the dense plan.
    """

    sparsity: float
    plan_ms: float
    over_litert: Ratio
    over_dense_plan: Ratio


@dataclasses.dataclass(frozen=True)
class Crossing:
    """Where a ratio comes to 1.

    Attributes:
      sparsity: there; None if it stays below 1.
      at_most: whether it is above 1 from the first point on, which is ``sparsity``.
    """

    sparsity: float | None
    at_most: bool = False


@dataclasses.dataclass(frozen=True)
class BreakEven:
    """What was measured of a network.

    Attributes:
      plan: what to measure.
      points: by sparsity, the dense network first.
      litert: from where on the plan is as fast as the dense file in stock LiteRT.
      dense_plan: from where on it is as fast as the dense plan, of pruned ones.
      rows: of all.
    """

    plan: Plan
    points: list[Point]
    litert: Crossing
    dense_plan: Crossing
    rows: list[Row]


def measure(plan: Plan = PLAN, *, seed: int = 0, track: Track = untracked) -> BreakEven:
    """Builds the files of a plan and times them.

    Args:
      plan: its cases are of one n, the sparsity rising.
      seed: of weights and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if one cannot be built or run.
    """
    keys: tuple[Key, ...] = (None, *plan.cases)
    ways = dict.fromkeys(keys, (tvm_models.PLAN,))
    rows, milliseconds = tvm_models.time_files(plan, ways, seed, track)
    stock = milliseconds[None, tvm_models.BASE]
    dense = milliseconds[None, tvm_models.PLAN]
    points = []
    for case in (None, *plan.cases):
        own = milliseconds[case, tvm_models.PLAN]
        points.append(
            Point(
                0.0 if case is None else case[1],
                float(np.median(own)),
                paired.ratio(stock, own),
                paired.ratio(dense, own),
            )
        )
    pruned = points[1:]
    return BreakEven(
        plan,
        points,
        crossing([(point.sparsity, point.over_litert.value) for point in points]),
        crossing([(point.sparsity, point.over_dense_plan.value) for point in pruned]),
        rows,
    )


def crossing(points: Sequence[tuple[float, float]]) -> Crossing:
    """Returns where a ratio comes to 1.

    Args:
      points: sparsity and ratio, the sparsity rising.
    """
    if points[0][1] >= 1:
        return Crossing(points[0][0], at_most=True)
    for (before, below), (after, above) in itertools.pairwise(points):
        if above >= 1:
            share = (1 - below) / (above - below)
            return Crossing(before + share * (after - before))
    return Crossing(None)
