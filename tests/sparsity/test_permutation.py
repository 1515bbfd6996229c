import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmot_onexn.sparsity import masks, permutation


def _kernels(seed, in_channels, out_channels, count):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(1, 1, in_channels, out_channels)).astype(np.float32)
        * rng.lognormal(sigma=0.7, size=out_channels).astype(np.float32)
        for _ in range(count)
    ]


problems = st.builds(
    _kernels,
    st.integers(0, 2**32 - 1),
    st.integers(2, 12),
    st.integers(2, 40),
    st.integers(1, 3),
)


@settings(max_examples=40)
@given(
    problems, st.integers(1, 8), st.floats(0.1, 0.9), st.booleans(), st.integers(0, 99)
)
def test_each_method_keeps_no_less_than_the_one_before(
    kernels, n, sparsity, uniform, seed
):
    kept = permutation.kept_saliency(kernels, n, sparsity, uniform=uniform)
    for method in permutation.METHODS:
        order = permutation.search(
            kernels, n, sparsity, method, uniform=uniform, seed=seed
        )
        np.testing.assert_array_equal(np.sort(order), np.arange(order.size))
        better = permutation.kept_saliency(
            kernels, n, sparsity, order=order, uniform=uniform
        )
        assert better >= kept - 1e-6
        kept = better


@given(problems, st.integers(1, 8), st.floats(0, 0.9), st.booleans())
def test_kept_saliency_is_what_the_masks_keep(kernels, n, sparsity, uniform):
    order = np.random.default_rng(0).permutation(kernels[0].shape[-1])
    moved = [kernel[..., order] for kernel in kernels]
    kept = sum(
        np.abs(kernel)[masks.block_mask(kernel, n, sparsity, uniform=uniform)].sum()
        for kernel in moved
    )
    share = permutation.kept_saliency(
        kernels, n, sparsity, order=order, uniform=uniform
    )
    assert share == pytest.approx(kept / sum(np.abs(k).sum() for k in kernels), 1e-4)


def test_swaps_reunite_filters_that_use_the_same_inputs(rng):
    """A planted order with 1x4 blocks, scattered, is found again."""
    planted = rng.normal(size=(1, 1, 32, 32)).astype(np.float32) + 3
    planted *= masks.block_mask(rng.normal(size=planted.shape), 4, 0.5)
    scattered = planted[..., rng.permutation(32)]
    kept = {
        method: permutation.kept_saliency(
            [scattered], 4, 0.5, order=permutation.search([scattered], 4, 0.5, method)
        )
        for method in permutation.METHODS
    }
    assert kept["l1"] < 0.9
    assert kept["swaps"] > 0.99


def test_one_row_or_one_channel_per_block_has_nothing_to_search(rng):
    kernel = rng.normal(size=(1, 1, 8, 16)).astype(np.float32)
    for n in (1, 16):
        kept = permutation.kept_saliency([kernel], n, 0.5)
        order = permutation.search([kernel], n, 0.5)
        assert permutation.kept_saliency([kernel], n, 0.5, order=order) == kept


def test_the_same_seed_gives_the_same_order(rng):
    kernel = rng.normal(size=(1, 1, 16, 64)).astype(np.float32)
    first, second = (permutation.search([kernel], 4, 0.5, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_bad_arguments_are_refused():
    kernel = np.ones((1, 1, 4, 8), np.float32)
    with pytest.raises(ValueError, match=r"method 'best'.*'l1', 'assignment', 'swaps'"):
        permutation.search([kernel], 4, 0.5, "best")
    with pytest.raises(ValueError, match="at least 1"):
        permutation.search([kernel], 0, 0.5)
    with pytest.raises(ValueError, match=r"same number of output channels"):
        permutation.search([kernel, kernel[..., :4]], 4, 0.5)


def _brute_force_kept(kernels, n, sparsities, order):
    """Sums the largest blocks of each kernel in plain loops."""
    kept = 0.0
    for kernel, sparsity in zip(kernels, sparsities, strict=True):
        moved = kernel.reshape(kernel.shape[-2:])[:, order]
        sums = [
            moved[k, at : at + n].sum()
            for k in range(moved.shape[0])
            for at in range(0, moved.shape[1], n)
        ]
        count = max(1, round((1 - sparsity) * len(sums)))
        kept += sum(sorted(sums, reverse=True)[:count])
    return kept


@settings(max_examples=20)
@given(problems, st.integers(2, 5), st.lists(st.floats(0, 0.9), min_size=3, max_size=3))
def test_each_kernel_has_a_sparsity_and_contributions_of_its_own(
    kernels, n, sparsities
):
    rng = np.random.default_rng(len(kernels))
    given_contributions = [rng.random(kernel.shape) for kernel in kernels]
    sparsities = sparsities[: len(kernels)]
    total = sum(values.sum() for values in given_contributions)
    kept = 0.0
    for method in permutation.METHODS:
        order = permutation.search(
            kernels, n, sparsities, method, contributions=given_contributions
        )
        share = permutation.kept_saliency(
            kernels, n, sparsities, order=order, contributions=given_contributions
        )
        expected = _brute_force_kept(given_contributions, n, sparsities, order)
        assert share == pytest.approx(expected / total, 1e-4)
        assert share >= kept - 1e-6
        kept = share


def test_kernels_without_saliency_have_an_order_and_keep_all_of_nothing():
    kernels = [np.zeros((1, 1, 6, 12), np.float32)]
    order = permutation.search(kernels, 4, 0.5)
    np.testing.assert_array_equal(np.sort(order), np.arange(12))
    assert permutation.kept_saliency(kernels, 4, 0.5, order=order) == 1.0


def test_contributions_take_the_place_of_the_criterion(rng):
    """Where they equal another criterion's, the order is that of the criterion."""
    kernel = rng.normal(size=(1, 1, 16, 32)).astype(np.float32)
    squares = permutation.search([kernel], 4, 0.5, contributions=[np.square(kernel)])
    l2 = permutation.search([kernel], 4, 0.5, saliency="l2")
    np.testing.assert_array_equal(squares, l2)
    assert not np.array_equal(squares, permutation.search([kernel], 4, 0.5))


def test_without_time_the_search_ends_at_once_with_the_sort(rng):
    kernels = [rng.normal(size=(1, 1, 64, 256)).astype(np.float32)]
    order = permutation.search(kernels, 4, 0.5, seconds=0.0)
    np.testing.assert_array_equal(order, permutation.search(kernels, 4, 0.5, "l1"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contributions": []}, r"one array for each: found \[\], expected \[\[1, 1"),
        ({"contributions": [np.ones((4, 8))]}, r"found \[\[4, 8\]\]"),
        ({"contributions": [-np.ones((1, 1, 4, 8))]}, "at least 0; found negative"),
        ({"contributions": [np.full((1, 1, 4, 8), np.nan)]}, "or NaN"),
        ({"contributions": [np.full((1, 1, 4, 8), np.inf)]}, "infinite ones"),
        ({"sparsity": [0.5, 0.5]}, "2 sparsities for 1 kernels"),
        ({"sparsity": [1.0]}, r"\[0, 1\)"),
    ],
)
def test_contributions_and_sparsities_that_do_not_fit_are_refused(change, message):
    arguments = {"kernels": [np.ones((1, 1, 4, 8))], "n": 4, "sparsity": 0.5, **change}
    for function in (permutation.search, permutation.kept_saliency):
        with pytest.raises(ValueError, match=message):
            function(**arguments)
