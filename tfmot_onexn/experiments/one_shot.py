"""Accuracy right after pruning, without any training.

For each N, order of filters and division of the sparsity: the masks alone, with
BatchNormalization statistics estimated anew, and with blocks chosen and weights solved
on images without labels. A row's recovery is the share of what the masks of raw l1
norms with new statistics lose that it wins back.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import macs
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.calibration.settings import Calibration

# masks alone; statistics anew; blocks by what outputs lose and weights solved
TREATMENTS = ("mask", "batch_norm", "resolved")
_POLICY = policy.PrunePointwise()

Progress: TypeAlias = Callable[["Row"], None]


@dataclasses.dataclass(frozen=True)
class Case:
    """A way to prune a network at once.

    Attributes:
      n: output channels per block.
      sparsity: share of blocks, or of the budget, that goes.
      rearrange: "none" or one of `sparsity.permutation.METHODS`.
      treatment: one of `TREATMENTS`.
      allocation: one of `sparsity.allocation.METHODS`.
      seed: of the images to calibrate with and of what is looked at in them.
    """

    n: int
    sparsity: float
    rearrange: str
    treatment: str
    allocation: str = "per_layer"
    seed: int = 0

    @property
    def baseline(self) -> "Case":
        """Masks of raw l1 norms, filters as they stand, statistics anew."""
        return dataclasses.replace(
            self, rearrange="none", treatment="batch_norm", allocation="per_layer"
        )


@dataclasses.dataclass(frozen=True)
class Settings:
    """Which cases to measure.

    Attributes:
      sizes: values of N.
      sparsity: of every case.
      rearrangements: orders of filters.
      treatments: of `TREATMENTS`.
      allocations: of `sparsity.allocation.METHODS`.
      seeds: of the calibration. Masks alone do not depend on it and are measured once.
      count: images to calibrate with.
    """

    sizes: Sequence[int] = (4, 16)
    sparsity: float = 0.5
    rearrangements: Sequence[str] = ("none", "l1", "assignment")
    treatments: Sequence[str] = TREATMENTS
    allocations: Sequence[str] = ("per_layer", "parameters", "macs")
    seeds: Sequence[int] = (0, 1)
    count: int = 384

    def cases(self) -> list[Case]:
        """Returns the cases, the baseline of each N and seed before what it is for."""
        found: dict[Case, None] = {}
        for n in self.sizes:
            for seed in self.seeds:
                first = Case(n, self.sparsity, "none", "batch_norm", seed=seed)
                found[first.baseline] = None
                for allocation in self.allocations:
                    for rearrange in self.rearrangements:
                        for treatment in self.treatments:
                            own = 0 if treatment == "mask" else seed
                            found[
                                Case(
                                    *(n, self.sparsity, rearrange, treatment),
                                    allocation,
                                    own,
                                )
                            ] = None
        return list(found)


@dataclasses.dataclass(frozen=True)
class Row:
    """What a case came to.

    Attributes:
      case: None for the dense network.
      top1: share of the test images recognized.
      top5: share of those whose class is among the best five.
      images: how many were tested.
      recovery: share of the baseline's loss of top-1 that is won back.
      parameters_removed: zeros among the weights of the layers to prune.
      macs_removed: share of their multiply-accumulates that these make.
      network_macs_removed: the same of the whole network.
      seconds: that pruning took.
    """

    case: Case | None
    top1: float
    top5: float
    images: int
    recovery: float | None = None
    parameters_removed: float = 0.0
    macs_removed: float = 0.0
    network_macs_removed: float = 0.0
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Returns plain values, the case's beside the row's."""
        fields = dataclasses.asdict(self)
        of_case = fields.pop("case")
        return {**(of_case or {"treatment": "dense"}), **fields}


def rows(
    model: tf_keras.Model,
    images: np.ndarray,
    dataset: Dataset,
    settings: Settings = Settings(),
    progress: Progress = lambda row: None,
) -> list[dict[str, Any]]:
    """Measures the dense network and every case.

    Args:
      model: dense, trained; it is not changed.
      images: to calibrate with ``[count, ...]``, as the model takes them.
      dataset: its test images are recognized.
      settings: which cases.
      progress: told of each row.

    Returns:
      `Row.to_dict` of each, the dense network first.
    """
    dense = Row(None, *accuracy(model, dataset))
    progress(dense)
    found = [dense]
    baselines: dict[Case, float] = {}
    for case in settings.cases():
        row = measure(case, model, images, dataset, count=settings.count)
        if case == case.baseline:
            baselines[case] = row.top1
        base = baselines[case.baseline]
        if dense.top1 != base:
            share = (row.top1 - base) / (dense.top1 - base)
            row = dataclasses.replace(row, recovery=share)
        progress(row)
        found.append(row)
    return [row.to_dict() for row in found]


def measure(
    case: Case,
    model: tf_keras.Model,
    images: np.ndarray,
    dataset: Dataset,
    *,
    count: int = 384,
) -> Row:
    """Prunes a network in one way and recognizes the test images with it.

    Args:
      case: the way.
      model: dense, trained; it is not changed.
      images: to calibrate with, as the model takes them.
      dataset: its test images are recognized.
      count: images to calibrate with.
    """
    resolved = case.treatment == "resolved"
    calibration = Calibration(
        images,
        count=count,
        seed=case.seed,
        second_order=resolved,
        resolve="all" if resolved else "batch_norm",
        verbose=False,
    )
    start = time.perf_counter()
    wrapped = prune.prune_low_magnitude_1xN(
        model,
        case.n,
        schedule.OneShot(case.sparsity),
        _POLICY,
        case.rearrange,
        allocation=case.allocation,
        calibration=None if case.treatment == "mask" else calibration,
    )
    pruned = prune.strip_pruning(wrapped)
    seconds = time.perf_counter() - start
    removed = _removed(pruned)
    return Row(case, *accuracy(pruned, dataset), None, *removed, seconds)


def accuracy(model: tf_keras.Model, dataset: Dataset) -> tuple[float, float, int]:
    """Returns top-1, top-5 and the number of test images."""
    batches = dataset.test_batches(50)
    hits = []
    for index in range(len(batches)):
        inputs, labels = batches[index]
        ranked = np.argsort(-model.predict_on_batch(inputs), axis=-1)
        hits.append(ranked[:, :5] == labels[:, None])
    right = np.concatenate(hits)
    return float(right[:, 0].mean()), float(right.any(axis=1).mean()), len(right)


def _removed(model: tf_keras.Model) -> tuple[float, float, float]:
    """Returns the shares of weights and MACs that are zero, and of all MACs."""
    uses = macs.uses(model)
    total = sum(use.macs or 0 for use in uses.values())
    kernels = [layer.kernel for layer in policy.chosen_layers(model, _POLICY)]
    zeros = np.array([float((kernel.numpy() == 0).mean()) for kernel in kernels])
    sizes = np.array([float(np.prod(kernel.shape)) for kernel in kernels])
    counts = np.array([float(uses[id(kernel)].macs or 0) for kernel in kernels])
    gone = float(zeros @ counts)
    return float(zeros @ sizes / sizes.sum()), gone / counts.sum(), gone / total
