"""Means over seeds, and whether differences of means are more than chance."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import scipy.stats


@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean over seeds.

    Attributes:
      value: the mean.
      spread: the sample standard deviation; NaN for one seed.
      count: number of seeds.
    """

    value: float
    spread: float
    count: int

    def percent(self) -> str:
        """Returns the mean and its spread in percent."""
        if math.isnan(self.spread):
            return f"{100 * self.value:.1f}"
        return f"{100 * self.value:.1f} ± {100 * self.spread:.1f}"


@dataclasses.dataclass(frozen=True)
class Difference:
    """One mean less another.

    Attributes:
      value: the difference.
      low: lower end of its 95 % confidence interval; NaN for one seed.
      high: the upper end.
    """

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """Whether the first is higher or lower than chance explains."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "no clear difference"

    def points(self) -> str:
        """Returns the difference and its interval in percentage points."""
        if math.isnan(self.low):
            return f"{100 * self.value:+.1f}"
        interval = f"{100 * self.low:+.1f} to {100 * self.high:+.1f}"
        return f"{100 * self.value:+.1f} ({interval})"


def mean(values: Sequence[float]) -> Mean:
    """Returns the mean of one value per seed."""
    array = np.asarray(values, float)
    spread = float(array.std(ddof=1)) if array.size > 1 else math.nan
    return Mean(float(array.mean()), spread, array.size)


def difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Compares two sets of seeds by Welch's t-test.

    Args:
      first: a value per seed.
      second: the same; seeds of the two are not paired.
    """
    value = float(np.mean(first) - np.mean(second))
    if min(len(first), len(second)) < 2:
        return Difference(value, math.nan, math.nan)
    if np.ptp(first) == np.ptp(second) == 0:
        return Difference(value, value, value)
    found = scipy.stats.ttest_ind(first, second, equal_var=False)
    interval = found.confidence_interval()
    return Difference(value, float(interval.low), float(interval.high))
