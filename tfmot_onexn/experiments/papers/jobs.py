"""Jobs: what an experiment trains or measures, one at a time, and their results."""

import abc
import dataclasses
import datetime
import json
import pathlib
import re
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from tfmot_onexn.experiments.papers.settings import digest, plain
from tfmot_onexn.experiments.papers.workshop import Workshop
from tfmot_onexn.networks import files

Result = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Job(abc.ABC):
    """One training or measurement; its fields are all that its result depends on.

    Attributes:
      phase: jobs of a later phase need the results of earlier ones.
      parallel: whether other jobs may run meanwhile; not where time is measured.
    """

    phase: ClassVar[int] = 1
    parallel: ClassVar[bool] = True

    @abc.abstractmethod
    def label(self) -> str:
        """Returns a short name for people."""

    @abc.abstractmethod
    def work(self, workshop: Workshop) -> Result:
        """Does the job; returns plain values for JSON."""

    def fields(self) -> dict[str, Any]:
        """Returns the kind and the fields as plain values.

        Fields that have their default are left out, so that results outlive new
        options.
        """
        return {"kind": type(self).__name__, **plain(self)}

    def key(self) -> str:
        """Returns the name of the result's file: a label, and a hash of the fields."""
        label = re.sub(r"[^a-z0-9.]+", "-", self.label().lower()).strip("-")
        return f"{label}-{digest(self.fields())}"


class Store:
    """Results on disk, one JSON file for each job."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def path(self, job: Job) -> pathlib.Path:
        """Returns the file of a job's result."""
        return self.folder / f"{job.key()}.json"

    def find(self, job: Job) -> Result | None:
        """Returns the result of a job, or None if it has not been done.

        Raises:
          ValueError: if its file is damaged.
        """
        content = self._content(job)
        return None if content is None else content["result"]

    def provenance(self, jobs: Iterable[Job]) -> str:
        """Returns which machines did jobs, and between which dates."""
        found = [content for job in jobs if (content := self._content(job))]
        machines = "; ".join(dict.fromkeys(each["machine"] for each in found))
        dates = sorted({each["date"] for each in found})
        return f"{machines}; {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}"

    def _content(self, job: Job) -> dict[str, Any] | None:
        path = self.path(job)
        if not path.exists():
            return None
        try:
            content = json.loads(path.read_text("utf-8"))
            if content["job"] == job.fields() and {"result", "machine", "date"} <= set(
                content
            ):
                return content
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{path} does not hold the result of a job ({error!r}). Delete it, and "
                "the job is done again."
            ) from error
        raise ValueError(f"{path} belongs to another job. Delete it to do this one.")

    def require(self, job: Job) -> Result:
        """Returns the result of a job that has been done."""
        result = self.find(job)
        if result is None:
            raise ValueError(f"No result of {job.label()} at {self.path(job)}.")
        return result

    def do(self, job: Job, workshop: Workshop) -> Result:
        """Does a job; the chief keeps its result, with the machine and the time."""
        start = time.perf_counter()
        result = json.loads(json.dumps(job.work(workshop)))
        content = {
            "job": job.fields(),
            "result": result,
            "seconds": round(time.perf_counter() - start, 1),
            "machine": workshop.machine,
            "date": datetime.date.today().isoformat(),
        }
        if workshop.writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            files.write(self.path(job), json.dumps(content, indent=1) + "\n")
        return result
