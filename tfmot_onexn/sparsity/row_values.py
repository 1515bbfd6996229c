"""What a block row would keep with one filter more, for all rows and filters."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from tfmot_onexn.sparsity.objective import Objective

_SCRATCH_BYTES = 256 * 1024

# (rest [rows, K], scores [filters, K], thresholds [rows, K]) -> [rows, filters]
RowValues: TypeAlias = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def of(objective: Objective) -> RowValues:
    """Returns the function that fits an objective.

    It takes the sums of the rows without the filter, the filters' contributions and the
    thresholds. Values of one row compare with each other; those of two rows may differ
    by a constant.
    """
    if objective.uniform:
        return _LargestBlocks(objective)
    return _AboveThresholds(objective)


class _AboveThresholds:
    """Computes sum_k max(rest[r, k] + scores[m, k] - thresholds[r, k], 0).

    It works in parts that the cache holds.
    """

    def __init__(self, objective: Objective):
        num_filters, num_columns = objective.num_rows, objective.scores_mk.shape[1]
        height = max(1, _SCRATCH_BYTES // (4 * num_columns))
        self._parts = [slice(at, at + height) for at in range(0, num_filters, height)]
        self._scratch = np.empty((min(height, num_filters), num_columns), np.float32)
        self._ones = np.ones(num_columns, np.float32)

    def __call__(
        self, rest_rk: np.ndarray, scores_mk: np.ndarray, thresholds_rk: np.ndarray
    ) -> np.ndarray:
        # max(a + b, 0) is max(a, -b) + b, which passes over the memory once less
        surplus_rk, negative_mk = rest_rk - thresholds_rk, -scores_mk
        value_rm = np.empty((rest_rk.shape[0], scores_mk.shape[0]), np.float32)
        for part in self._parts:
            scratch = self._scratch[: negative_mk[part].shape[0]]
            for value_m, surplus_k in zip(value_rm, surplus_rk, strict=True):
                np.maximum(negative_mk[part], surplus_k, out=scratch)
                np.matmul(scratch, self._ones, out=value_m[part])
        return value_rm + scores_mk @ self._ones


class _LargestBlocks:
    """Computes the sum of the largest rest[r, k] + scores[m, k], as many as are kept.

    Each row has a threshold of its own, which one filter may move far, so that values
    at fixed thresholds would mislead.
    """

    def __init__(self, objective: Objective):
        self._kernels = list(zip(objective.segments, objective.budgets, strict=True))
        shape = (objective.num_rows, objective.scores_mk.shape[1])
        self._scratch = np.empty(shape, np.float32)

    def __call__(
        self, rest_rk: np.ndarray, scores_mk: np.ndarray, thresholds_rk: np.ndarray
    ) -> np.ndarray:
        del thresholds_rk
        value_rm = np.zeros((rest_rk.shape[0], scores_mk.shape[0]), np.float32)
        for value_m, rest_k in zip(value_rm, rest_rk, strict=True):
            sums_mk = np.add(scores_mk, rest_k, out=self._scratch)
            for columns, budget in self._kernels:
                of_kernel = sums_mk[:, columns]
                first = of_kernel.shape[1] - budget
                of_kernel.partition(first, axis=1)
                value_m += of_kernel[:, first:].sum(axis=1)
        return value_rm
