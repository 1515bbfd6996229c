import numpy as np
import pytest

from tfmot_onexn.benchmark import paired


@pytest.fixture
def base(rng):
    # slow spells of the machine, and the noise of single runs
    return rng.choice([1.0, 3.0], size=(40, 1)) * rng.normal(10, 0.2, size=(40, 5))


def test_a_ratio_of_medians_lies_in_its_interval(base):
    found = paired.ratio(base, base / 2)
    assert found.value == pytest.approx(2)
    assert (found.low, found.high) == pytest.approx((2, 2))


def test_pairing_rounds_narrows_the_interval(base, rng):
    times = base / 1.25 + rng.normal(0, 0.2, size=base.shape)
    found = paired.ratio(base, times)
    assert found.low <= found.value <= found.high
    assert found.low == pytest.approx(1.25, rel=0.1)
    assert found.high == pytest.approx(1.25, rel=0.1)
    unpaired = paired.ratio(base, rng.permutation(times))
    assert unpaired.high - unpaired.low > 3 * (found.high - found.low)


def test_only_a_whole_interval_below_one_is_slower():
    assert paired.Ratio(0.95, 0.92, 0.98).slower
    assert not paired.Ratio(0.99, 0.97, 1.01).slower
    assert str(paired.Ratio(0.994, 0.972, 1.01)) == "0.99× (0.97–1.01)"


def test_the_seed_fixes_the_draws(base, rng):
    times = rng.permutation(base)
    assert paired.ratio(base, times, 1) == paired.ratio(base, times, 1)
    assert paired.ratio(base, times, 1) != paired.ratio(base, times, 2)


@pytest.mark.parametrize("rounds", [(1, 1), (3, 2)])
def test_rounds_are_needed(rounds):
    with pytest.raises(ValueError, match=f"found {rounds[0]} and {rounds[1]}"):
        paired.ratio(*(np.ones((count, 2)) for count in rounds))
