import numpy as np

from tfmot_onexn.sparsity import assignment
from tfmot_onexn.sparsity.objective import Objective


def test_rows_that_use_two_halves_of_the_inputs_are_told_apart(rng):
    """Filters of two kinds in turn, from a start that tells them slightly apart."""
    kernel = rng.uniform(0.9, 1.0, size=(8, 16))
    kind = np.arange(16) % 2
    kernel[:4, kind == 1] = kernel[4:, kind == 0] = 0.01
    start = np.argsort(kind, kind="stable")
    start[[0, 8]] = start[[8, 0]]
    objective = Objective([kernel], 4, 0.5, False, "l1", None)
    order = assignment.assign(objective, start, np.inf)
    assert objective.kept(start) < 0.98 * kernel[kernel > 0.5].sum()
    np.testing.assert_allclose(
        objective.kept(order), kernel[kernel > 0.5].sum(), rtol=1e-6
    )
    for row in kind[order].reshape(4, 4):
        assert len(set(row)) == 1


def test_a_deadline_that_has_passed_leaves_the_order(rng):
    objective = Objective([rng.normal(size=(8, 16))], 4, 0.5, False, "l1", None)
    start = rng.permutation(16)
    np.testing.assert_array_equal(assignment.assign(objective, start, 0.0), start)
