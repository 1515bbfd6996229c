"""Accuracy right after pruning, without any training.

The masks alone, with BatchNormalization statistics estimated anew, or with blocks
chosen and weights solved on images without labels.
"""

import dataclasses
import time

import numpy as np
import tf_keras

from tfmot_onexn.graph import macs
from tfmot_onexn.networks.batches import Dataset
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.calibration.settings import Calibration

# masks alone; statistics anew; blocks by what outputs lose and weights solved
TREATMENTS = ("mask", "batch_norm", "resolved")
_POLICY = policy.PrunePointwise()


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
class Row:
    """What a network came to.

    Attributes:
      hits: for each test image in order, "1" if it was recognized, else "0".
      top5: share of those whose class is among the best five.
      parameters_removed: zeros among the weights of the layers to prune.
      macs_removed: share of their multiply-accumulates that these make.
      network_macs_removed: the same of the whole network.
      seconds: that pruning took.
    """

    hits: str
    top5: float
    parameters_removed: float = 0.0
    macs_removed: float = 0.0
    network_macs_removed: float = 0.0
    seconds: float = 0.0


def measure_dense(model: tf_keras.Model, dataset: Dataset) -> Row:
    """Recognizes the test images with a network as it is."""
    return Row(*accuracy(model, dataset))


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
    return Row(*accuracy(pruned, dataset), *removed, seconds)


def accuracy(model: tf_keras.Model, dataset: Dataset) -> tuple[str, float]:
    """Returns which test images are recognized, and top-5."""
    batches = dataset.test_batches(50)
    found = []
    for index in range(len(batches)):
        inputs, labels = batches[index]
        ranked = np.argsort(-model.predict_on_batch(inputs), axis=-1)
        found.append(ranked[:, :5] == labels[:, None])
    right = np.concatenate(found)
    hits = "".join("1" if hit else "0" for hit in right[:, 0])
    return hits, float(right.any(axis=1).mean())


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
