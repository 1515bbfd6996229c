"""Does the jobs of an experiment, several at a time, and goes on where it stopped."""

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from tfmot_onexn.experiments.papers import process
from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.workshop import Sources, Workshop
from tfmot_onexn.pruning import agreement

# called with a job when its result is there
Done = Callable[[Job], None]


def missing(jobs: Sequence[Job], store: Store) -> list[Job]:
    """Returns the jobs without a result, each once, in order of their phases."""
    unique = list(dict.fromkeys(jobs))
    return sorted(
        (job for job in unique if store.find(job) is None), key=lambda job: job.phase
    )


def do(
    jobs: Sequence[Job],
    sources: Sources,
    *,
    processes: int = 1,
    strategy: tf.distribute.Strategy | None = None,
    done: Done = lambda job: None,
) -> None:
    """Does jobs and keeps their results.

    Args:
      jobs: those without a result, from `missing`.
      sources: of images and weights, and the folder of results.
      processes: how many jobs to do at a time, each on its share of the processors.
      strategy: that trains one job after the other on several devices; all workers
        call this with the same jobs and a folder that they share.
      done: told of each job that has been done.

    Raises:
      ValueError: naming the job that failed; the results of others are kept.
    """
    store = Store(sources.folder)
    workshop = Workshop(sources, strategy)
    agreement.require_same(workshop.strategy, {"jobs": [job.key() for job in jobs]})
    for batch in _batches(jobs):
        if processes == 1 or len(batch) == 1 or not batch[0].parallel:
            for job in batch:
                with _named(job):
                    store.do(job, workshop)
                done(job)
            continue
        with _pool(sources, min(processes, len(batch))) as pool:
            futures = {pool.submit(process.do, job): job for job in batch}
            for future in concurrent.futures.as_completed(futures):
                with _named(futures[future]):
                    future.result()
                done(futures[future])


def _batches(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Divides jobs by phase, and by whether others may run meanwhile."""
    for phase in sorted({job.phase for job in jobs}):
        of_phase = [job for job in jobs if job.phase == phase]
        for parallel in (True, False):
            batch = [job for job in of_phase if job.parallel == parallel]
            if batch:
                yield batch


@contextlib.contextmanager
def _named(job: Job) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        raise ValueError(f"{job.label()}: {error}") from error


@contextlib.contextmanager
def _pool(
    sources: Sources, processes: int
) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    pool = concurrent.futures.ProcessPoolExecutor(
        processes,
        # TensorFlow does not survive a fork
        multiprocessing.get_context("spawn"),
        process.start,
        (sources.folder, sources.data, sources.weights, threads),
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
