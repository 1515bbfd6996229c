import numpy as np
import pytest

from tfmot_onexn.sparsity import row_values
from tfmot_onexn.sparsity.objective import Objective


@pytest.fixture
def arrays(rng):
    """Rows without a filter, filters, thresholds: four of each, of two kernels."""
    return [rng.gamma(1.0, size=(4, 11)).astype(np.float32) for _ in range(3)]


def _values(uniform, arrays):
    kernels = [np.ones((5, 8)), np.ones((6, 8))]
    objective = Objective(kernels, 2, [0.6, 0.5], uniform, "l1", None)
    return row_values.of(objective)(*arrays)


@pytest.mark.parametrize("scratch_bytes", [1 << 20, 2 * 4 * 11])
def test_at_fixed_thresholds_what_lies_above_counts(arrays, scratch_bytes, monkeypatch):
    monkeypatch.setattr(row_values, "_SCRATCH_BYTES", scratch_bytes)
    expected = [
        [sum(max(a + b - t, 0) for a, b, t in zip(rest, scores, level, strict=True))]
        for rest, level in zip(arrays[0], arrays[2], strict=True)
        for scores in arrays[1]
    ]
    found = _values(False, arrays)
    np.testing.assert_allclose(found.reshape(-1, 1), expected, rtol=1e-5)


def test_in_uniform_rows_the_largest_of_each_kernel_count(arrays):
    expected = [
        sorted(rest[:5] + scores[:5])[-2:] + sorted(rest[5:] + scores[5:])[-3:]
        for rest in arrays[0]
        for scores in arrays[1]
    ]
    found = _values(True, arrays)
    np.testing.assert_allclose(found.ravel(), np.sum(expected, axis=1), rtol=1e-5)
