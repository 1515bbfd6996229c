"""The named experiments, and how one is run from start to page."""

import pathlib
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfmot_onexn.experiments.papers import runner
from tfmot_onexn.experiments.papers.balance import BALANCE
from tfmot_onexn.experiments.papers.experiment import Experiment
from tfmot_onexn.experiments.papers.fig2b import FIG2B
from tfmot_onexn.experiments.papers.fig4 import FIG4
from tfmot_onexn.experiments.papers.fig5 import FIG5
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.one_shot import ONE_SHOT
from tfmot_onexn.experiments.papers.pages import Page
from tfmot_onexn.experiments.papers.settings import Setting
from tfmot_onexn.experiments.papers.start import START
from tfmot_onexn.experiments.papers.subp import SUBP
from tfmot_onexn.experiments.papers.table1 import TABLE1
from tfmot_onexn.experiments.papers.table2 import TABLE2
from tfmot_onexn.experiments.papers.workshop import Sources
from tfmot_onexn.pruning import distribution

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        *(TABLE1, TABLE2, FIG2B, FIG4, FIG5, SUBP, BALANCE, ONE_SHOT, START),
    )
}

# (jobs in all, jobs without a result) -> told of each job that is done
Progress = Callable[[int, Sequence[Job]], Callable[[Job], None]]


def run(
    name: str,
    setting: Setting,
    sources: Sources,
    *,
    seeds: int = 3,
    processes: int = 1,
    strategy: tf.distribute.Strategy | None = None,
    progress: Progress = lambda total, missing: lambda job: None,
) -> Page | None:
    """Does what is missing of an experiment and makes its page.

    Args:
      name: one of `EXPERIMENTS`.
      setting: sizes and durations.
      sources: of images and weights, and the folder of results.
      seeds: of each training.
      processes: jobs at a time.
      strategy: see `runner.do`.
      progress: shows how far it is.

    Returns:
      The page; None on a worker that is not the chief.

    Raises:
      ValueError: if the name is unknown, or naming the job that failed.
    """
    experiment = EXPERIMENTS[require_known(name)]
    store = Store(sources.folder)
    jobs = list(dict.fromkeys(experiment.jobs(setting, seeds)))
    missing = runner.missing(jobs, store)
    done = progress(len(jobs), missing)
    runner.do(missing, sources, processes=processes, strategy=strategy, done=done)
    if strategy is not None and not distribution.is_chief(strategy):
        return None
    return experiment.page(setting, seeds, store)


def provenance(name: str, setting: Setting, folder: pathlib.Path, seeds: int) -> str:
    """Returns which machines did an experiment, and when."""
    return Store(folder).provenance(EXPERIMENTS[name].jobs(setting, seeds))


def require_known(name: str) -> str:
    """Returns the name of an experiment; raises ValueError if there is none."""
    if name not in EXPERIMENTS:
        raise ValueError(
            f"Unknown experiment {name!r}; choose one of {', '.join(EXPERIMENTS)}."
        )
    return name
