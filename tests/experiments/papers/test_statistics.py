"""Means and intervals against SciPy's and NumPy's own."""

import math

import numpy as np
import pytest
import scipy.stats

from tfmot_onexn.experiments.papers import statistics


def test_a_mean_has_the_sample_deviation():
    found = statistics.mean([0.5, 0.6, 0.7])
    assert found.value == pytest.approx(0.6)
    assert found.spread == pytest.approx(np.std([0.5, 0.6, 0.7], ddof=1))
    assert (found.count, found.percent()) == (3, "60.0 ± 10.0")


def test_one_seed_has_no_spread():
    found = statistics.mean([0.5])
    assert math.isnan(found.spread)
    assert found.percent() == "50.0"
    assert statistics.difference([0.5], [0.4, 0.3]).points() == "+15.0"


def test_the_interval_is_welchs(rng):
    first, second = rng.normal(0.7, 0.01, 5), rng.normal(0.6, 0.03, 4)
    found = statistics.difference(first, second)
    variances = first.var(ddof=1) / 5, second.var(ddof=1) / 4
    freedom = sum(variances) ** 2 / (variances[0] ** 2 / 4 + variances[1] ** 2 / 3)
    half = scipy.stats.t.ppf(0.975, freedom) * math.sqrt(sum(variances))
    assert found.low == pytest.approx(found.value - half)
    assert found.high == pytest.approx(found.value + half)
    assert found.verdict == "higher"
    assert statistics.difference(second, first).verdict == "lower"


def test_chance_is_no_difference():
    found = statistics.difference([0.5, 0.6, 0.7], [0.49, 0.6, 0.7])
    assert found.verdict == "no clear difference"
    assert found.points().startswith("+0.3 (-")


def test_equal_seeds_have_an_interval_of_no_width():
    assert statistics.difference([0.5, 0.5], [0.4, 0.4]).points() == (
        "+10.0 (+10.0 to +10.0)"
    )
