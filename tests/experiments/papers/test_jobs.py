"""Results on disk: found again, refused where damaged or another job's."""

import dataclasses
import types

import pytest

from tfmot_onexn.experiments.papers.jobs import Job, Store
from tfmot_onexn.experiments.papers.settings import digest

WORKSHOP = types.SimpleNamespace(machine="a machine", writes=True)


@dataclasses.dataclass(frozen=True)
class Square(Job):
    number: float

    def label(self):
        return f"square of {self.number:g}"

    def work(self, workshop):
        return {"square": self.number**2}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_a_result_is_found_again(store):
    job = Square(3)
    assert store.find(job) is None
    assert store.do(job, WORKSHOP) == {"square": 9}
    assert Store(store.folder).find(Square(3)) == {"square": 9}
    assert store.find(Square(4)) is None
    assert store.require(job) == {"square": 9}
    assert store.path(job).name.startswith("square-of-3-")


def test_a_result_that_is_needed_and_missing_is_named(store):
    with pytest.raises(ValueError, match=r"No result of square of 3 at .*square-of-3"):
        store.require(Square(3))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"job": 1}'])
def test_a_damaged_result_is_named_with_the_remedy(store, content):
    store.do(Square(3), WORKSHOP)
    store.path(Square(3)).write_text(content)
    with pytest.raises(ValueError, match=r"square-of-3.*Delete it"):
        store.find(Square(3))


def test_another_jobs_result_is_refused(store):
    store.do(Square(3), WORKSHOP)
    store.path(Square(3)).rename(store.path(Square(4)))
    with pytest.raises(ValueError, match="belongs to another job"):
        store.find(Square(4))


def test_nothing_is_left_of_a_job_that_fails(store, monkeypatch):
    def fail(self, workshop):
        raise OSError("no space left")

    monkeypatch.setattr(Square, "work", fail)
    with pytest.raises(OSError, match="no space"):
        store.do(Square(3), WORKSHOP)
    assert not store.folder.exists()


def test_machines_and_dates_are_told_once(store):
    store.do(Square(3), WORKSHOP)
    store.do(Square(4), types.SimpleNamespace(machine="another", writes=True))
    told = store.provenance([Square(3), Square(4), Square(5)])
    assert told.startswith("a machine; another; ")
    assert " to " not in told


@dataclasses.dataclass(frozen=True)
class Options:
    base: float
    exponent: float = 2.0


@dataclasses.dataclass(frozen=True)
class Power(Square):
    options: Options = Options(1)


def test_results_outlive_new_options_that_have_their_default():
    assert Power(3).fields() == {"kind": "Power", "number": 3}
    assert Power(3, Options(2)).fields()["options"] == {"base": 2}
    assert Power(3, Options(2, 3)).fields()["options"] == {"base": 2, "exponent": 3}
    assert Power(3, Options(2)).key() != Power(3, Options(2, 3)).key()


def test_digests_differ_where_fields_do():
    assert digest({"a": 1}) == digest({"a": 1}) != digest({"a": 2})
    assert Square(1).key() != Square(1.0000001).key()


def test_a_worker_that_is_not_the_chief_keeps_nothing(store):
    other = types.SimpleNamespace(machine="a machine", writes=False)
    assert store.do(Square(3), other) == {"square": 9}
    assert store.find(Square(3)) is None
