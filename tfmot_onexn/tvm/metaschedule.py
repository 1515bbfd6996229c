"""Dense networks in TVM's own operators, tuned by TVM's MetaSchedule: a fair rival.

Nothing here is of this package but the way in: the importer's operators are lowered and
fused as TVM does it, MetaSchedule searches loops for each of them on this machine, and
weights are laid out as the loops found want them. What was tried is kept in a folder,
so that a search that was interrupted goes on.

Candidates are compiled and run in this process: the worker processes that MetaSchedule
would start take longer than the work.
"""

import contextlib
import dataclasses
import importlib.util
import inspect
import itertools
import json
import logging
import os
import pathlib
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import tvm
from tvm import relax
from tvm.ir.utils import derived_object
from tvm.s_tir import meta_schedule

from tfmot_onexn import targets
from tfmot_onexn.networks import files
from tfmot_onexn.tvm import build as build_lib
from tfmot_onexn.tvm import builds, frontend, linking, plan, processors
from tfmot_onexn.tvm.source import Source

# called with the trials that are done, and those to do
Progress = Callable[[int, int], None]

INSTALL = "pip install tfmot-onexn[tune]"
_SEARCH = "search.json"
# constants differ between layers of the same shape
_EQUALITY = "ignore-tensor"
# trials of an operator before another's turn
_TOGETHER = 16
# of the evolution between measurements; less than the defaults, which double the time
_POPULATION, _GENERATIONS = 256, 3
# slower candidates are timed once, the others so long
_SLOW_SECONDS, _SAMPLE_SECONDS = 20e-3, 2e-3


@dataclasses.dataclass(frozen=True)
class Search:
    """What a search took so far, in all sessions."""

    trials: int
    seconds: float


def tune(
    path: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    trials: int,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Search:
    """Searches loops for the operators of a network, on one thread of this machine.

    Args:
      path: of a `.tflite` file.
      folder: keeps what was tried. What is there counts.
      trials: candidates to run in all; operators share them by what they cost.
      seed: of the search.
      progress: called after each group of trials.

    Raises:
      ValueError: if the file cannot be imported, or the model of costs is missing.
    """
    if importlib.util.find_spec("xgboost") is None:
        raise ValueError(f"xgboost is not installed: {INSTALL}.")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    database = _database(folder)
    before = Search(len(database), _seconds(folder))
    left = trials - before.trials
    if left <= 0:
        return before
    start = time.monotonic()

    def show(done: int) -> None:
        seconds = before.seconds + time.monotonic() - start
        files.write(folder / _SEARCH, json.dumps({"seconds": round(seconds, 1)}))
        progress(before.trials + done, trials)

    target = _target()
    _load_intrinsics()
    with _quiet():
        tasks = meta_schedule.relax_integration.extract_tasks(
            _fused(path, target), target, module_equality=_EQUALITY
        )
        contexts = [_context(task, seed + number) for number, task in enumerate(tasks)]
        modules: dict[str, Any] = {}
        meta_schedule.tune.tune_tasks(
            tasks=contexts,
            task_weights=[float(task.weight) for task in tasks],
            work_dir=str(folder),
            max_trials_global=left,
            num_trials_per_iter=min(_TOGETHER, left),
            builder=_Builder(modules),
            runner=_Runner(modules),
            database=database,
            cost_model="xgb",
            measure_callbacks=_callbacks(show),
            module_equality=_EQUALITY,
        )
    return Search(len(database), _seconds(folder))


def _callbacks(show: Callable[[int], None]) -> list[Any]:
    callbacks = meta_schedule.measure_callback
    return [callbacks.AddToDatabase(), callbacks.UpdateCostModel(), _Counter(show)]


def _load_intrinsics() -> None:
    """Imports what MetaSchedule would, without the callers of every intrinsic.

    TVM looks them up, with their sources, for names in annotations that it does not
    find here; with TensorFlow loaded that takes the most of a minute.
    """
    with mock.patch.object(inspect, "stack", lambda *_, **__: []):
        importlib.import_module("tvm.s_tir.tensor_intrin")


def _context(task: Any, seed: int) -> Any:
    strategy = meta_schedule.search_strategy.EvolutionarySearch(
        population_size=_POPULATION, genetic_num_iters=_GENERATIONS
    )
    return meta_schedule.TuneContext(
        mod=task.dispatched[0],
        target=task.target,
        space_generator="post-order-apply",
        search_strategy=strategy,
        task_name=task.task_name,
        rand_state=seed,
        num_threads=1,
    ).clone()


def build(
    source: Source,
    folder: str | os.PathLike,
    path: str | os.PathLike,
    *,
    format: str = builds.VM,
) -> None:
    """Builds a network with the fastest loops that a search found.

    Args:
      source: the network.
      folder: of the search.
      path: of the library, or the folder for a plan.
      format: as `build_tvm` has it.

    Raises:
      ValueError: if nothing was searched there, or it cannot be written.
    """
    folder = pathlib.Path(folder)
    if not (folder / "database_workload.json").exists():
        raise ValueError(f"{folder} has no search of MetaSchedule; tune first.")
    target = _target()
    main = frontend.load(source.path)["main"]
    about = build_lib.describe(source, main, target=targets.HOST, format=format)
    with _quiet():
        module = _fused(source.path, target)
        with target, _database(folder):
            module = relax.transform.MetaScheduleApplyDatabase()(module)
            # weights are laid out now, not when the network runs
            module = relax.transform.SplitLayoutRewritePreproc()(module)
            module = relax.transform.FoldConstant()(module)
        write = plan.write if format == builds.PLAN else linking.write
        write(module, target, targets.resolve(targets.HOST), path, about)


def _target() -> tvm.target.Target:
    """Returns this machine, with one core: the search runs on one thread."""
    host, _ = processors.processor(targets.HOST)
    return tvm.target.Target(
        {"kind": "llvm", "mcpu": str(host.attrs["mcpu"]), "num-cores": 1}
    )


def _fused(path: str | os.PathLike, target: tvm.target.Target) -> tvm.IRModule:
    """Returns a network in TVM's fused operators, whose weights may be laid out."""
    passes = [
        relax.transform.DecomposeOpsForInference(),
        relax.transform.CanonicalizeBindings(),
        relax.get_pipeline("zero"),
        relax.transform.AttachAttrLayoutFreeBuffers(),
    ]
    with target:
        return tvm.transform.Sequential(passes)(frontend.load(path))


def _database(folder: pathlib.Path) -> Any:
    return meta_schedule.database.JSONDatabase(
        work_dir=str(folder), module_equality=_EQUALITY
    )


def _seconds(folder: pathlib.Path) -> float:
    path = folder / _SEARCH
    return float(json.loads(path.read_text())["seconds"]) if path.exists() else 0.0


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without MetaSchedule's tables and TVM's warnings, on one thread."""
    os.environ.setdefault("TVM_NUM_THREADS", "1")
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    logging.getLogger("tvm.s_tir.meta_schedule").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@derived_object
class _Builder(meta_schedule.builder.PyBuilder):
    """Compiles candidates here; the runner finds them by number."""

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self.modules = modules
        self.numbers = itertools.count()

    def build(self, build_inputs: Sequence[Any]) -> list[Any]:
        return [self._build(each) for each in build_inputs]

    def _build(self, given: Any) -> Any:
        try:
            module = meta_schedule.builder.local_builder.default_build(
                given.mod, given.target, None
            )
        # whatever a candidate fails of, the search goes on without it
        except Exception as error:
            return meta_schedule.builder.BuilderResult(None, str(error))
        number = str(next(self.numbers))
        self.modules[number] = module
        return meta_schedule.builder.BuilderResult(number, None)


@derived_object
class _Future(meta_schedule.runner.PyRunnerFuture):
    def __init__(self, seconds: float | None, error: str | None) -> None:
        super().__init__()
        self.seconds = seconds
        self.error = error

    def done(self) -> bool:
        return True

    def result(self) -> Any:
        seconds = None if self.seconds is None else [self.seconds]
        return meta_schedule.runner.RunnerResult(seconds, self.error)


@derived_object
class _Runner(meta_schedule.runner.PyRunner):
    """Times candidates here."""

    def __init__(self, modules: dict[str, Any]) -> None:
        super().__init__()
        self.modules = modules
        self.rng = np.random.default_rng(0)

    def run(self, runner_inputs: Sequence[Any]) -> list[Any]:
        return [self._run(each) for each in runner_inputs]

    def _run(self, given: Any) -> Any:
        module = self.modules.pop(str(given.artifact_path))
        try:
            arrays = [
                self.rng.normal(size=[int(size) for size in each.shape])
                for each in given.args_info
            ]
            return _Future(_time(module, arrays), None)
        except Exception as error:
            return _Future(None, str(error))


def _time(module: Any, arrays: Sequence[np.ndarray]) -> float:
    tensors = [tvm.runtime.tensor(array.astype(np.float32)) for array in arrays]

    def seconds(times: int, repeat: int) -> float:
        evaluate = module.time_evaluator("main", tvm.cpu(), number=times, repeat=repeat)
        return float(np.median(evaluate(*tensors).results))

    seconds(1, 1)
    once = seconds(1, 1)
    if once > _SLOW_SECONDS:
        return once
    return seconds(max(1, int(_SAMPLE_SECONDS / once)), 3)


@derived_object
class _Counter(meta_schedule.measure_callback.PyMeasureCallback):
    def __init__(self, show: Callable[[int], None]) -> None:
        super().__init__()
        self.show = show
        self.done = 0

    def apply(
        self,
        task_scheduler: Any,
        task_id: int,
        measure_candidates: Sequence[Any],
        builder_results: Sequence[Any],
        runner_results: Sequence[Any],
    ) -> None:
        del task_scheduler, task_id, builder_results, runner_results
        self.done += len(measure_candidates)
        self.show(self.done)
