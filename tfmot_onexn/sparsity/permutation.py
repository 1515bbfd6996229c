"""Filter rearrangement: the order of output channels that keeps the most saliency.

The paper sorts filters by their l1 norm (section 3.3). Here that is the first of
three methods, each of which keeps at least as much as the one before:

  l1          filters sorted by their norm, largest first
  assignment  in turn: the masks for fixed block rows, then a balanced linear
              assignment of filters to rows for fixed masks
  swaps       filters change rows, one of each row at a time, by an assignment at
              fixed thresholds; then the thresholds are renewed (see `annealing`)

Kernels that share their output channels are searched together: their contributions
stand side by side in one matrix ``[M, K]``, each kernel with a budget of its own.
"""

import time
from collections.abc import Sequence

import numpy as np

from tfmot_onexn.sparsity import annealing, assignment
from tfmot_onexn.sparsity.objective import Objective

METHODS = ("l1", "assignment", "swaps")


def validate_method(method: str) -> None:
    """Raises ValueError unless ``method`` is one of `METHODS`."""
    if method not in METHODS:
        raise ValueError(
            f"Unknown rearrangement method {method!r}; choose one of {list(METHODS)}."
        )


def kept_saliency(
    kernels: Sequence[np.ndarray],
    n: int,
    sparsity: float | Sequence[float],
    *,
    order: np.ndarray | None = None,
    uniform: bool = False,
    saliency: str = "l1",
    contributions: Sequence[np.ndarray] | None = None,
) -> float:
    """Returns the share of saliency that 1xN pruning keeps, in [0, 1]; 1 of nothing.

    Args:
      kernels: weights ``[..., in, M]`` that share their output channels.
      n: output channels per block.
      sparsity: share of blocks that become zero, in [0, 1); one for all kernels or one
        for each.
      order: the output channels' order ``[M]``; as they stand if None.
      uniform: the same number of blocks in every block row.
      saliency: the criterion, see `saliency.contributions`.
      contributions: each weight's share of its block's saliency, at least 0, in the
        kernels' shapes; takes the place of ``saliency``.

    Raises:
      ValueError: if an argument does not fit.
    """
    objective = Objective(kernels, n, sparsity, uniform, saliency, contributions)
    order = np.arange(objective.num_filters) if order is None else order
    total = float(objective.scores_mk.sum(dtype=np.float64))
    return objective.kept(order) / total if total else 1.0


def search(
    kernels: Sequence[np.ndarray],
    n: int,
    sparsity: float | Sequence[float],
    method: str = "swaps",
    *,
    uniform: bool = False,
    saliency: str = "l1",
    contributions: Sequence[np.ndarray] | None = None,
    seed: int = 0,
    seconds: float | None = None,
) -> np.ndarray:
    """Finds an order of output channels that keeps much saliency after 1xN pruning.

    Args:
      kernels: weights ``[..., in, M]`` that share their output channels; the saliency
        kept is summed over them.
      n: output channels per block.
      sparsity: share of blocks that become zero, in [0, 1); one for all kernels or one
        for each.
      method: "l1" (the paper's sort, section 3.3), "assignment" or "swaps".
      uniform: search for masks with the same number of blocks in every block row.
      saliency: the criterion, see `saliency.contributions`.
      contributions: each weight's share of its block's saliency, at least 0, in the
        kernels' shapes; takes the place of ``saliency``. The second-order saliency of
        post-training pruning comes in this way.
      seed: of the noise in "swaps".
      seconds: time for the search, None for as much as mostly pays. More may find
        more; when little is left, the best order so far is returned. Without a limit
        the same seed gives the same order.

    Returns:
      ``order [M]``: position i takes the filter ``order[i]``.

    Raises:
      ValueError: if the kernels do not share M, or an argument does not fit.
    """
    validate_method(method)
    deadline = time.monotonic() + (np.inf if seconds is None else seconds)
    objective = Objective(kernels, n, sparsity, uniform, saliency, contributions)
    identity = np.arange(objective.num_filters)
    if n == 1 or objective.num_rows == 1:
        return identity
    norms = objective.scores_mk.sum(axis=1)
    order = objective.better(identity, np.argsort(-norms, kind="stable"))
    if method == "l1":
        return order
    order = assignment.assign(objective, order, deadline)
    if method == "assignment":
        return order
    return annealing.anneal(objective, order, seed, deadline)
