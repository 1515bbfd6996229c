import numpy as np
import pytest

from tfmot_onexn.sparsity import saliency


def test_l1_of_blocks_is_the_sum_of_absolute_weights():
    kernel = np.array([[1.0, -2.0, 3.0, -4.0, 5.0], [0.0, 1.0, 0.0, -1.0, -7.0]])
    np.testing.assert_array_equal(
        saliency.of_blocks(kernel, 2), [[3.0, 7.0, 5.0], [1.0, 1.0, 7.0]]
    )


def test_l2_of_blocks_ranks_as_the_norm(rng):
    kernel = rng.normal(size=(3, 3, 4, 8))
    norms = np.sqrt((kernel.reshape(9, 4, 2, 4) ** 2).sum(axis=(0, 3)))
    np.testing.assert_allclose(saliency.of_blocks(kernel, 4, "l2"), norms**2)


def test_filters_are_summed_over_window_and_inputs(rng):
    kernel = rng.normal(size=(3, 3, 4, 8))
    np.testing.assert_allclose(
        saliency.of_filters(kernel), np.abs(kernel).sum(axis=(0, 1, 2))
    )


def test_an_unknown_criterion_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"saliency 'l3'.*\['l1', 'l2'\]"):
        saliency.of_blocks(np.ones((2, 2)), 1, "l3")


def test_bpar_is_magnitude_less_redundancy():
    # one row of four blocks: two point the same way, one across, one is masked
    blocks_il = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0], [5.0, 5.0]])
    kept = np.array([[1.0], [1.0], [1.0], [0.0]]) * np.ones(2) > 0
    magnitude = np.array([3, 1, 2, 10]) / 16
    redundancy = np.array([2 / 5, 2 / 5, 1 / 5, 1])
    scores = saliency.bpar(blocks_il, 2, 0.5, mask=kept)
    np.testing.assert_allclose(scores[:, 0], magnitude - 0.5 * redundancy)


def test_bpar_takes_zero_blocks_for_redundant():
    kernel = np.array([[1.0, 1.0], [0.0, 0.0]])
    np.testing.assert_allclose(saliency.bpar(kernel, 2), [[0.0], [-1.0]])
    np.testing.assert_array_equal(saliency.bpar(0 * kernel, 2), [[-1.0], [-1.0]])
