"""What every experiment has: jobs, and a page made of their results."""

import dataclasses
from collections.abc import Callable, Sequence

from tfmot_onexn.experiments.papers import statistics
from tfmot_onexn.experiments.papers.jobs import Job, Result, Store
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting, Subject
from tfmot_onexn.experiments.papers.trainings import Dense, Tuned
from tfmot_onexn.pruning.variants import Variant


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A published table or figure.

    Attributes:
      name: on the command line.
      summary: one line of help.
      jobs: ``(setting, seeds)`` to the jobs it needs.
      page: ``(setting, seeds, store)`` to its page, from their results.
    """

    name: str
    summary: str
    jobs: Callable[[Setting, int], list[Job]]
    page: Callable[[Setting, int, Store], Page]


def tuned(
    subject: Subject, variants: Sequence[Variant], seeds: int, calibration: int = 0
) -> list[Job]:
    """Returns the jobs that train variants of a network, and its dense one first."""
    return [
        Dense(subject),
        *(
            Tuned(subject, variant, seed, calibration)
            for variant in variants
            for seed in range(seeds)
        ),
    ]


def results(
    store: Store, subject: Subject, variant: Variant, seeds: int, calibration: int = 0
) -> list[Result]:
    """Returns what `Tuned` found of a variant, one for each seed.

    Raises:
      ValueError: if a training began with another dense network than is kept now.
    """
    dense = store.require(Dense(subject))["dense"]
    found = []
    for seed in range(seeds):
        job = Tuned(subject, variant, seed, calibration)
        result = store.require(job)
        if result["dense"] != dense:
            raise ValueError(
                f"{store.path(job)} began with another dense network than that of the "
                "other results. Delete it, and it is trained again."
            )
        found.append(result)
    return found


def top1(store: Store, subject: Subject, variant: Variant, seeds: int) -> list[float]:
    """Returns the accuracy of a variant after fine-tuning, one for each seed."""
    return [found["top1"] for found in results(store, subject, variant, seeds)]


def mean_top1(
    store: Store, subject: Subject, variant: Variant, seeds: int
) -> statistics.Mean:
    """Returns the mean over seeds of `top1`."""
    return statistics.mean(top1(store, subject, variant, seeds))


def onexn(n: int, sparsity: float = 0.5, rearrange: str = "swaps") -> Variant:
    """Returns a variant in 1xN blocks."""
    return Variant("onexn", sparsity, n, rearrange)


def name_of(variant: Variant) -> str:
    """Returns what tables call a variant."""
    return f"1×{variant.n}" if variant.method == "onexn" else variant.method
