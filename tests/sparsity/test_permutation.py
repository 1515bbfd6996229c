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


def test_looking_on_a_choice_of_channels_keeps_about_as_much(monkeypatch):
    kernels = _kernels(3, 200, 64, 3)

    def kept(method):
        order = permutation.search(kernels, 4, 0.5, method)
        return permutation.kept_saliency(kernels, 4, 0.5, order=order)

    exact, sort = kept("swaps"), kept("l1")
    monkeypatch.setattr(permutation, "_SCREENED_CHANNELS", 100)
    screened = kept("swaps")
    assert screened != exact
    assert abs(screened - exact) < 0.1 * (exact - sort)
