import contextlib
import pathlib
import threading
import time

import hypothesis
import numpy as np
import pytest
from chain_library import library
from hypothesis import strategies as st


class Pool:
    def __init__(self, threads):
        self._pool = library().onexn_pool_create(threads)
        assert self._pool
        self.threads = library().onexn_pool_threads(self._pool)

    def count(self, items, jobs=1, work=0):
        """Returns how often each item of some jobs ran."""
        counts = np.zeros(items, np.int32)
        threads = np.zeros(self.threads, np.int32)
        library().onexn_pool_count(
            *(self._pool, jobs, items, work),
            *(array.ctypes.data for array in (counts, threads)),
        )
        # two that count for one thread at the same time would lose some
        assert threads.sum() == counts.sum()
        return counts

    def __enter__(self):
        return self

    def __exit__(self, *_):
        library().onexn_pool_destroy(self._pool)


@hypothesis.given(st.integers(1, 8), st.integers(0, 200), st.integers(1, 30))
def test_each_item_runs_once(threads, items, jobs):
    with Pool(threads) as pool:
        assert pool.threads == threads
        np.testing.assert_array_equal(pool.count(items, jobs), jobs)


@pytest.mark.parametrize("items", [(1 << 20) - 1, 1 << 20, (1 << 20) + 5])
def test_more_items_than_a_job_counts(items):
    with Pool(2) as pool:
        np.testing.assert_array_equal(pool.count(items), 1)


def test_more_threads_than_cores():
    with Pool(64) as pool:
        assert pool.threads == 64
        np.testing.assert_array_equal(pool.count(1000, 50), 50)


def test_a_pool_without_a_job_is_destroyed():
    for threads in (1, 2, 64):
        with Pool(threads):
            pass


def test_jobs_of_several_threads():
    """One of them has the pool; the others do their items alone."""
    found = []
    with Pool(3) as pool:
        threads = [
            threading.Thread(target=lambda: found.append(pool.count(50, 200, 100)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 4
    for counts in found:
        np.testing.assert_array_equal(counts, 200)


def states(but=()):
    """The states of this process' threads, such as R and S, by their number."""
    found = {}
    for path in pathlib.Path("/proc/self/task").iterdir():
        # it may end in between
        with contextlib.suppress(OSError):
            state = (path / "stat").read_text().rpartition(")")[2].split()[0]
            found[path.name] = state
    return {name: state for name, state in found.items() if name not in but}


def becomes_true(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_threads_without_work_sleep():
    before = states()
    with Pool(4) as pool:
        for _ in range(3):
            pool.count(100, 10)
            assert len(states(before)) == 3
            assert becomes_true(lambda: list(states(before).values()) == ["S"] * 3)
    # the system shows them a moment longer than they run
    assert becomes_true(lambda: not states(before))
