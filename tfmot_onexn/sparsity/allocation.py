"""One budget for several layers, in place of the same sparsity for each.

Each layer has an error that grows, faster and faster, with the share of its blocks that
go. The least error for a budget takes the blocks in the order of error per cost, over
all layers: the error of the next block is then worth the same everywhere.
"""

from collections.abc import Sequence

import numpy as np

METHODS = ("per_layer", "parameters", "macs")


def validate_method(method: str) -> None:
    """Raises ValueError unless ``method`` is one of `METHODS`."""
    if method not in METHODS:
        raise ValueError(
            f"Unknown allocation {method!r}; choose one of {list(METHODS)}."
        )


def allocate(
    errors: Sequence[np.ndarray],
    costs: Sequence[float],
    sparsity: float,
    *,
    highest: float = 0.9,
) -> list[float]:
    """Divides a budget among layers so that the sum of their errors is least.

    Args:
      errors: for each layer what the loss of each block adds to its error ``[blocks]``,
        in a common unit and rising.
      costs: of each layer with all its blocks, as its parameters or MACs.
      sparsity: share of the summed costs to remove, in [0, 1).
      highest: sparsity that no layer may exceed, unless ``sparsity`` does.

    Returns:
      The sparsity of each layer. Their costs are met within a block.
    """
    highest = max(highest, sparsity)
    removable = [int(len(error) * highest) for error in errors]
    per_block = [cost / len(e) for e, cost in zip(errors, costs, strict=True)]
    layer_of = np.repeat(np.arange(len(errors)), removable)
    rates = np.concatenate(
        [
            np.maximum.accumulate(error[:count]) / cost
            for error, count, cost in zip(errors, removable, per_block, strict=True)
        ]
    )
    order = np.argsort(rates, kind="stable")
    freed = np.cumsum(np.asarray(per_block)[layer_of[order]])
    budget = sparsity * float(sum(costs))
    count = int(np.searchsorted(freed, budget))
    if count < freed.size:
        # whichever side of the budget is nearer
        before = freed[count - 1] if count else 0.0
        count += int(freed[count] - budget < budget - before)
    removed = np.bincount(layer_of[order[:count]], minlength=len(errors))
    return [
        float(gone / len(error)) for gone, error in zip(removed, errors, strict=True)
    ]
