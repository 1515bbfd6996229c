"""How much faster one thing is than another that took turns with it."""

import dataclasses

import numpy as np
import scipy.stats

_RESAMPLES = 2000


@dataclasses.dataclass(frozen=True)
class Ratio:
    """The median time of a base over that of something else; above 1 is faster.

    Attributes:
      value: of all times.
      low: the lower end of its 95 % confidence interval.
      high: the upper end.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f}× ({self.low:.2f}–{self.high:.2f})"

    @property
    def slower(self) -> bool:
        """Whether it is significantly slower than the base."""
        return self.high < 1.0


def ratio(base: np.ndarray, times: np.ndarray, seed: int = 0) -> Ratio:
    """Compares times by the bootstrap.

    Whole rounds are drawn, the same of both, since a slow spell of the machine meets
    all runs of a round.

    Args:
      base: ``[rounds, runs]``.
      times: ``[rounds, runs]``, taken in the same rounds.
      seed: of the draws.

    Raises:
      ValueError: if there are fewer than two rounds, or not as many of both.
    """
    rounds = len(base)
    if rounds < 2 or len(times) != rounds:
        raise ValueError(
            f"A paired comparison needs two rounds or more of both, found {rounds} and "
            f"{len(times)}."
        )

    def of_rounds(chosen: np.ndarray, axis: int = -1) -> np.ndarray:
        # the last axis holds a sample, those before it the samples
        over, under = (np.median(each[chosen], axis=(-2, -1)) for each in (base, times))
        return over / under

    found = scipy.stats.bootstrap(
        (np.arange(rounds),),
        of_rounds,
        n_resamples=_RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    interval = found.confidence_interval
    value = of_rounds(np.arange(rounds))
    return Ratio(float(value), float(interval.low), float(interval.high))
