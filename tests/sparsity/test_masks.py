import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import blocks, masks
from tfmot_onexn.sparsity import saliency as saliency_lib

kernels = st.builds(
    lambda shape, seed: np.random.default_rng(seed).normal(size=shape),
    st.one_of(
        st.tuples(st.integers(1, 12), st.integers(1, 40)),
        st.tuples(*[st.integers(1, 3)] * 2, st.integers(1, 6), st.integers(1, 40)),
    ),
    st.integers(0, 2**32 - 1),
)
sparsities = st.floats(0, 1, exclude_max=True, width=32)


def block_values(mask, n):
    """Returns the mask of blocks and checks that each block is of one value."""
    kept = blocks.sum_blocks(mask.astype(int), n)
    size = blocks.sum_blocks(np.ones(mask.shape, int), n)
    assert ((kept == 0) | (kept == size)).all()
    return kept > 0


@given(kernels, st.integers(1, 20), sparsities, st.sampled_from(["l1", "l2"]))
def test_block_mask_keeps_the_exact_count_of_most_salient_blocks(
    kernel, n, sparsity, saliency
):
    mask = masks.block_mask(kernel, n, sparsity, saliency=saliency)
    assert mask.shape == kernel.shape
    kept = block_values(mask, n)
    assert np.count_nonzero(kept) == masks.kept_count(kept.size, sparsity)
    scores = saliency_lib.of_blocks(kernel, n, saliency)
    assert scores[kept].min() >= scores[~kept].max(initial=0)


@given(kernels, st.integers(1, 20), sparsities)
def test_uniform_mask_keeps_as_many_blocks_in_every_row(kernel, n, sparsity):
    kept = block_values(masks.block_mask(kernel, n, sparsity, uniform=True), n)
    count = masks.kept_count(kept.shape[0], sparsity)
    np.testing.assert_array_equal(kept.sum(axis=0), count)
    scores = saliency_lib.of_blocks(kernel, n)
    for row in range(kept.shape[1]):
        row_scores, row_kept = scores[:, row], kept[:, row]
        assert row_scores[row_kept].min() >= row_scores[~row_kept].max(initial=0)


@given(kernels, sparsities)
def test_weight_mask_is_the_block_mask_of_one_channel_on_a_matrix(kernel, sparsity):
    mask = masks.weight_mask(kernel, sparsity)
    assert np.count_nonzero(mask) == masks.kept_count(kernel.size, sparsity)
    if kernel.ndim == 2:
        np.testing.assert_array_equal(mask, masks.block_mask(kernel, 1, sparsity))


def test_filter_mask_sums_the_kernels_that_choose_together():
    first = np.array([[3.0, 1.0, 2.0, 0.0]])
    second = np.array([[0.0, 5.0, 0.0, 1.0]])
    np.testing.assert_array_equal(
        masks.filter_mask([first], 0.5), [True, False, True, False]
    )
    np.testing.assert_array_equal(
        masks.filter_mask([first, second], 0.5), [True, True, False, False]
    )


def test_equal_saliencies_are_kept_in_index_order():
    mask = masks.weight_mask(np.ones((2, 4)), 0.5)
    np.testing.assert_array_equal(mask, [[True] * 4, [False] * 4])


@pytest.mark.parametrize(
    ("count", "sparsity", "kept"),
    [(10, 0.5, 5), (10, 0.75, 2), (6, 0.75, 2), (15, 0.9, 2), (4, 0.99, 1), (3, 0, 3)],
)
def test_kept_count_rounds_half_to_even_in_float32_and_keeps_one(count, sparsity, kept):
    assert masks.kept_count(count, sparsity) == kept


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 50, float("nan")])
def test_a_sparsity_outside_its_range_is_refused(sparsity):
    with pytest.raises(
        ValueError, match=r"lie in \[0, 1\), found .*Write 0.5 for 50 %"
    ):
        masks.block_mask(np.ones((4, 4)), 2, sparsity)


def test_a_pattern_chooses_the_mask_and_tells_its_threshold():
    kernel = np.array([[4.0, -3.0, 1.0, 1.0], [0.5, 0.5, 3.0, 2.0]])
    blocks_of_two = masks.Pattern(n=2)
    mask = blocks_of_two.mask(kernel, 0.5)
    np.testing.assert_array_equal(mask, masks.block_mask(kernel, 2, 0.5))
    assert blocks_of_two.threshold(kernel, mask) == 5.0
    weights = masks.Pattern(granularity="weight", saliency="l2")
    mask = weights.mask(kernel, 0.5)
    np.testing.assert_array_equal(mask, masks.weight_mask(kernel, 0.5))
    assert weights.threshold(kernel, mask) == 4.0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"granularity": "rows"}, "granularity 'rows'; choose block or weight"),
        ({"n": 0}, "at least 1, found 0"),
        ({"saliency": "l0"}, "saliency 'l0'"),
    ],
)
def test_a_pattern_refuses_what_it_does_not_know(setting, message):
    with pytest.raises(ValueError, match=message):
        masks.Pattern(**setting)


@pytest.mark.parametrize("n", [2, 4, 16])
@pytest.mark.parametrize("uniform", [False, True])
def test_blocks_of_a_grouped_kernel_stay_inside_a_group(rng, n, uniform):
    kernel = rng.normal(size=(3, 3, 5, 30))
    mask = masks.block_mask(kernel, n, 0.5, uniform=uniform, groups=3)
    rows = []
    for group in range(3):
        of_group = mask[..., 10 * group : 10 * group + 10]
        for start in range(0, 10, n):
            block = of_group[..., start : start + n]
            assert (block == block[:1, :1, :, :1]).all()
            rows.append(block[0, 0, :, 0])
    assert len(rows) == 3 * -(-10 // n)
    count = masks.kept_count(len(rows[0]) if uniform else 5 * len(rows), 0.5)
    if uniform:
        assert all(row.sum() == count for row in rows)
    else:
        assert np.sum(rows) == count


def test_groups_that_blocks_divide_change_nothing(rng):
    kernel = rng.normal(size=(1, 1, 6, 24))
    for uniform in (False, True):
        np.testing.assert_array_equal(
            masks.block_mask(kernel, 4, 0.5, uniform=uniform, groups=3),
            masks.block_mask(kernel, 4, 0.5, uniform=uniform),
        )
