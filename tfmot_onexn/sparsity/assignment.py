"""Masks for fixed block rows and rows for fixed masks, in turn."""

import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from tfmot_onexn.sparsity.objective import Objective

_MAX_ASSIGNMENTS = 30
_RELATIVE_GAIN = 1e-5


def assign(objective: Objective, order: np.ndarray, deadline: float) -> np.ndarray:
    """Alternates masks and balanced assignments while what is kept grows."""
    kept = objective.kept(order)
    for _ in range(_MAX_ASSIGNMENTS):
        if time.monotonic() > deadline:
            break
        sums_rk = objective.block_sums(order)
        mask_rk = (sums_rk >= objective.thresholds(sums_rk)[0]).astype(np.float32)
        gain_mr = objective.scores_mk @ mask_rk.T
        filters, seats = linear_sum_assignment(
            gain_mr[:, objective.row_of_seat], maximize=True
        )
        candidate = np.empty_like(order)
        candidate[seats] = filters
        candidate_kept = objective.kept(candidate)
        if candidate_kept <= kept * (1 + _RELATIVE_GAIN):
            return objective.better(order, candidate)
        order, kept = candidate, candidate_kept
    return order
