import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfmot_onexn.sparsity import blocks, masks
from tfmot_onexn.sparsity.regrow import CRITERIA, NORMALIZATIONS, Regrowth

settings = st.builds(
    Regrowth,
    n=st.sampled_from([1, 2, 4, 16]),
    criterion=st.sampled_from(CRITERIA),
    alpha=st.sampled_from([0.0, 0.3, 1.0]),
    temperature=st.sampled_from([0.01, 1.0, math.inf]),
    normalization=st.sampled_from(NORMALIZATIONS),
    latent=st.booleans(),
)
shares = st.floats(0, 1, exclude_max=True, width=32)


def case(shape, groups, n, seed):
    """A kernel of some groups, a mask that keeps whole blocks, and a lot."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=(*shape[:-1], shape[-1] * groups))
    rows = groups * blocks.num_block_rows(shape[-1], n)
    kept_ir = rng.random((shape[-2], rows)) < 0.6
    kept = blocks.expand_blocks(kept_ir, kernel.shape, n, groups)
    return kernel, kept, rng.random((shape[-2], rows))


cases = (
    st.tuples(st.sampled_from([1, 9]), st.integers(1, 10), st.integers(1, 20)),
    st.sampled_from([1, 3]),
    st.integers(0, 2**32 - 1),
)


def row_counts(mask, n, groups):
    """Kept blocks of each block row; fails if the mask is not constant in a block."""
    kept = mask.any(axis=0)
    starts = blocks.block_starts(mask.shape[-1], n, groups)
    for start, stop in zip(starts, [*starts[1:], mask.shape[-1]], strict=True):
        assert (mask[..., start:stop] == kept[:, start : start + 1]).all()
    return kept[:, starts].sum(axis=0)


@given(settings, *cases, shares, shares)
def test_every_row_keeps_the_same_number(regrowth, shape, groups, seed, one, other):
    kernel, kept, noise = case(shape, groups, regrowth.n, seed)
    now, final = sorted([one, other])
    mask, _ = regrowth.mask(kernel, kept, now, final, noise, groups)
    expected = masks.kept_count(shape[-2], now)
    assert set(row_counts(mask, regrowth.n, groups)) == {expected}


def by_hand(regrowth, kernel, kept, now, final, noise, groups):
    """The algorithm in plain loops, block by block."""
    in_channels, out_channels = kernel.shape[-2:]
    starts = blocks.block_starts(out_channels, regrowth.n, groups)
    mask = np.zeros(kernel.shape, bool)
    lowest = []
    for row, start in enumerate(starts):
        stop = [*starts, out_channels][row + 1]
        parts = [kernel[..., i, start:stop].ravel() for i in range(in_channels)]
        alive = [
            part * kept[..., i, start:stop].ravel() for i, part in enumerate(parts)
        ]
        scores = scores_by_hand(regrowth, parts if regrowth.latent else alive, alive)
        order = sorted(range(in_channels), key=lambda i: (-scores[i], i))
        count = masks.kept_count(in_channels, final)
        stay, pruned = order[:count], order[count:]
        values = [scores[i] for i in pruned]
        if regrowth.normalization == "standard" and pruned:
            mean = sum(values) / len(values)
            scale = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
            values = [v - mean for v in values]
        else:
            scale = math.sqrt(sum(v * v for v in values))
        chance = {
            i: (v / scale if scale else 0) / regrowth.temperature
            - math.log(-math.log(noise[i, row]))
            for i, v in zip(pruned, values, strict=True)
        }
        more = masks.kept_count(in_channels, now) - count
        stay += sorted(pruned, key=lambda i: -chance[i])[:more]
        mask[..., stay, start:stop] = True
        lowest += [scores[i] for i in stay]
    return mask, min(lowest)


def scores_by_hand(regrowth, parts, alive):
    if regrowth.criterion == "l2":
        return [math.sqrt((part**2).sum()) for part in parts]
    norms = [np.abs(part).sum() for part in parts]
    if regrowth.criterion == "l1":
        return norms
    cosines = [
        sum(
            abs(a @ b) / math.sqrt((a @ a) * (b @ b)) if a.any() and b.any() else 0
            for b in alive
        )
        for a in alive
    ]
    redundant = [c / sum(cosines) if c else 1 for c in cosines]
    total = sum(norms) or 1
    return [
        norm / total - regrowth.alpha * c
        for norm, c in zip(norms, redundant, strict=True)
    ]


@given(settings, *cases, shares, shares)
def test_masks_are_those_of_plain_loops(regrowth, shape, groups, seed, one, other):
    kernel, kept, noise = case(shape, groups, regrowth.n, seed)
    now, final = sorted([one, other])
    mask, lowest = regrowth.mask(kernel, kept, now, final, noise, groups)
    expected, expected_lowest = by_hand(
        regrowth, kernel, kept, now, final, noise, groups
    )
    np.testing.assert_array_equal(mask, expected)
    assert lowest == pytest.approx(expected_lowest, abs=1e-12)


DRAWS = 20_000


def frequencies(regrowth, count):
    """How often each pruned one of six blocks grows back, of norms 9, 8, 4, 3, 1, 0.5.

    Two stay, ``count`` of the other four are drawn.
    """
    norms = np.array([9, 8, 4, 3, 1, 0.5])
    kernel = np.repeat(norms[:, None], DRAWS, axis=1)
    noise = np.random.default_rng(0).random(kernel.shape)
    kept = np.ones(kernel.shape, bool)
    mask, _ = regrowth.mask(kernel, kept, 1 - (2 + count) / 6, 2 / 3, noise)
    assert mask[:2].all()
    return mask[2:].mean(axis=1)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_a_single_block_is_drawn_with_the_chance_of_a_softmax(
    normalization, temperature
):
    values = np.array([4, 3, 1, 0.5])
    if normalization == "standard":
        values = (values - values.mean()) / values.std()
    else:
        values = values / np.linalg.norm(values)
    expected = np.exp(values / temperature)
    regrowth = Regrowth(1, "l1", 1.0, temperature, normalization)
    found = frequencies(regrowth, 1)
    np.testing.assert_allclose(found, expected / expected.sum(), atol=0.015)


def test_a_low_temperature_brings_back_the_best():
    found = frequencies(Regrowth(1, "l1", temperature=0.01), 2)
    np.testing.assert_array_equal(found, [1, 1, 0, 0])


def test_an_infinite_temperature_draws_without_regard_to_scores():
    found = frequencies(Regrowth(1, "l1", temperature=math.inf), 2)
    np.testing.assert_allclose(found, 0.5, atol=0.015)


def test_masked_blocks_come_back_by_lot_only_unless_latent_weights_count(rng):
    kernel = np.concatenate([np.full((4, 1), 9.0), np.ones((4, 1))])
    kept = kernel < 9
    noise = rng.random(kernel.shape)
    for latent, expected in ((False, kernel < 9), (True, kernel == 9)):
        regrowth = Regrowth(1, "l1", latent=latent)
        mask, _ = regrowth.mask(kernel, kept, 0.5, 0.5, noise)
        np.testing.assert_array_equal(mask, expected)


def test_a_lot_of_zero_is_the_last_choice():
    kernel = np.ones((4, 1), np.float32)
    noise = np.array([[0.5], [0.0], [0.5], [0.5]], np.float32)
    mask, _ = Regrowth(1, "l1").mask(kernel, kernel > 0, 0.25, 0.75, noise)
    np.testing.assert_array_equal(mask, [[True], [False], [True], [True]])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"n": 0}, "at least 1, found 0"),
        ({"criterion": "l3"}, r"criterion 'l3'.*\['bpar', 'l1', 'l2'\]"),
        ({"normalization": "none"}, r"normalization 'none'.*\['standard', 'l2'\]"),
        ({"temperature": 0}, r"temperature must be above 0, found 0\..*0\.01"),
        ({"temperature": math.nan}, "found nan"),
        ({"alpha": -1}, "alpha must be a finite number of at least 0, found -1"),
        ({"alpha": math.inf}, "found inf"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        Regrowth(**setting)
