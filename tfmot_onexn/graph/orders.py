"""The order of each channel group that 1xN pruning will keep most in."""

import concurrent.futures
import contextlib
import ctypes
import dataclasses
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import rich.console
import rich.progress
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import tracing
from tfmot_onexn.sparsity import blocks, masks, permutation
from tfmot_onexn.sparsity import saliency as saliency_lib

Layer: TypeAlias = tf_keras.layers.Layer


def find_orders(
    model: tf_keras.Model,
    n: int,
    sparsity: float,
    method: str = "swaps",
    *,
    prunable: Callable[[Layer], bool],
    uniform: bool = False,
    saliency: str = "l1",
    contributions: Mapping[Layer, np.ndarray] | None = None,
    sparsities: Mapping[Layer, float] | None = None,
    seed: int = 0,
    seconds: float | None = None,
    verbose: bool = True,
) -> dict[cg.ChannelGroup, np.ndarray]:
    """Searches for the order of each channel group of a network.

    Args:
      model: a functional or built Sequential model.
      n: output channels per block.
      sparsity: share of blocks that will be pruned, in [0, 1).
      method: "l1", "assignment" or "swaps", see `sparsity.permutation`.
      prunable: which layers will be pruned; their kernels decide the order.
      uniform: for masks with the same number of blocks in every block row.
      saliency: the criterion, see `sparsity.saliency`.
      contributions: each weight's share of its block's saliency, in the shape of the
        layer's kernel; takes the place of ``saliency`` in the layers that it names.
      sparsities: takes the place of ``sparsity`` in the layers that it names.
      seed: of the search.
      seconds: time for the whole network, shared out among the groups by their work.
      verbose: show a progress bar on a terminal.

    Returns:
      ``order [size]`` of each group that may move and has a layer to prune: position i
      takes the channel ``order[i]``. `reindex.reindexed_weights` applies them.

    Raises:
      ValueError: if the model has no graph or an argument does not fit.
    """
    blocks.validate_block_size(n)
    masks.validate_sparsity(sparsity)
    permutation.validate_method(method)
    saliency_lib.validate(saliency)
    tasks = [
        _Task(
            group,
            [kernel.weights for kernel in kernels],
            [(sparsities or {}).get(kernel.layer, sparsity) for kernel in kernels],
            [kernel.contributions(contributions or {}, saliency) for kernel in kernels],
        )
        for group, kernels in _groups_to_search(model, prunable)
    ]
    budget = _Budget(tasks, seconds)

    def search(task: _Task) -> np.ndarray:
        with budget.share(task) as of_task:
            return task.search(n, method, uniform=uniform, seed=seed, seconds=of_task)

    return _in_threads(search, tasks, verbose)


def producing_kernels(
    group: cg.ChannelGroup, prunable: Callable[[Layer], bool]
) -> list[np.ndarray]:
    """Returns the kernels ``[..., in, size]`` of a group that will be pruned.

    A kernel that makes each channel several times, since a grouped convolution reads it
    so, is returned as often.
    """
    return [kernel.weights for kernel in _producing(group, prunable)]


@dataclasses.dataclass(frozen=True, eq=False)
class _Kernel:
    """Weights ``[..., in, size]`` at the positions ``[size]`` of a layer's kernel.

    ``shape`` is that of the whole kernel.
    """

    layer: Layer
    positions: np.ndarray
    weights: np.ndarray
    shape: tuple[int, ...]

    def contributions(
        self, of_layers: Mapping[Layer, np.ndarray], saliency: str
    ) -> np.ndarray:
        """Returns the contributions ``[..., in, size]`` to the saliency."""
        given = of_layers.get(self.layer)
        if given is None:
            return saliency_lib.contributions(self.weights, saliency)
        if given.shape != self.shape:
            raise ValueError(
                f"The contributions to the saliency of {self.layer.name!r} must have "
                f"the shape of its kernel, {list(self.shape)}, found "
                f"{list(given.shape)}."
            )
        return np.take(given, self.positions, axis=-1)


@dataclasses.dataclass(frozen=True, eq=False)
class _Task:
    """A channel group, and what the search for its order needs of each kernel."""

    group: cg.ChannelGroup
    kernels: list[np.ndarray]
    sparsities: list[float]
    contributions: list[np.ndarray]

    def search(self, n: int, method: str, **options: Any) -> np.ndarray:
        """Returns the order that `permutation.search` finds."""
        return permutation.search(
            self.kernels,
            n,
            self.sparsities,
            method,
            contributions=self.contributions,
            **options,
        )

    @property
    def work(self) -> int:
        """What trying all pairs of channels costs."""
        return self.group.size * sum(kernel.size for kernel in self.kernels)


def _groups_to_search(
    model: tf_keras.Model, prunable: Callable[[Layer], bool]
) -> list[tuple[cg.ChannelGroup, list[_Kernel]]]:
    """Returns the groups that may move, with their kernels to prune."""
    groups = tracing.trace(model).groups
    tracing.require_bare(model)
    found = [
        (group, _producing(group, prunable)) for group in groups if not group.pinned
    ]
    return [(group, kernels) for group, kernels in found if kernels]


def _producing(
    group: cg.ChannelGroup, prunable: Callable[[Layer], bool]
) -> list[_Kernel]:
    kernels = []
    for member in group.members_as(cg.OUTPUT):
        layer = member.axis.layer
        if prunable(layer):
            kernel = layer.get_weights()[member.axis.weight]
            kernels += [
                _Kernel(layer, where, np.take(kernel, where, axis=-1), kernel.shape)
                for where in member.positions
            ]
    return kernels


def _in_threads(
    search: Callable[[_Task], np.ndarray], tasks: list[_Task], verbose: bool
) -> dict[cg.ChannelGroup, np.ndarray]:
    """Returns what a search finds for each task's group, with a progress bar."""
    # the largest first, so that no thread is left with it at the end
    tasks.sort(key=lambda task: task.work, reverse=True)
    # NumPy works outside the interpreter lock, so threads share the cores
    with concurrent.futures.ThreadPoolExecutor(_num_workers()) as pool:
        bar = rich.progress.track(
            pool.map(search, tasks),
            "Rearranging filters",
            total=len(tasks),
            console=rich.console.Console(stderr=True),
            transient=True,
            disable=not (verbose and sys.stderr.isatty()),
        )
        found = {task.group: order for task, order in zip(tasks, bar, strict=True)}
    _return_freed_memory()
    return found


class _Budget:
    """Shares time out among tasks by their work, as it is left when each begins."""

    def __init__(self, tasks: Sequence[_Task], seconds: float | None):
        self._lock = threading.Lock()
        self._unfinished = sum(task.work for task in tasks)
        self._deadline = None if seconds is None else time.monotonic() + seconds

    @contextlib.contextmanager
    def share(self, task: _Task) -> Iterator[float | None]:
        """Gives the seconds for a task, None without a limit; done when left."""
        with self._lock:
            of_task = self._seconds(task)
        yield of_task
        with self._lock:
            self._unfinished -= task.work

    def _seconds(self, task: _Task) -> float | None:
        if self._deadline is None:
            return None
        left = max(0.0, self._deadline - time.monotonic())
        return left * min(1.0, _num_workers() * task.work / self._unfinished)


def _num_workers() -> int:
    return os.cpu_count() or 1


def _return_freed_memory() -> None:
    """Gives back what the threads have freed; glibc would keep it for them."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
