"""Searches tiles for the kernels of a network on the machine that will run them.

Each kernel is computed with every tile of `candidates` on the same random arrays, with
as many stored blocks as the network has. What computes something else than the
processor's own tile is out. The others take turns, and are compared by the times of the
same round, so that other processes slow all of them. A gain is the lesser of two: with
arrays in a cache, and with weights and output outside. The tile that gains most is then
timed a second time against the processor's: the luckiest of many is not taken for the
best. What it gains there is the result, and counts from `LEAST_GAIN` on.
"""

import dataclasses
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from tfmot_onexn.tvm import frontend
from tfmot_onexn.tvm.candidates import candidates
from tfmot_onexn.tvm.layers import Kernel
from tfmot_onexn.tvm.rewrite import rewrite
from tfmot_onexn.tvm.tiles import Tile
from tfmot_onexn.tvm.tuning_database import (
    Choice,
    changes,
    fingerprint,
    signature,
)

# smaller ones come and go
LEAST_GAIN = 1.03
# of float32, relative to the largest value
_AGREES = 1e-5
_ROUNDS, _ROUNDS_QUICK = 7, 3
# of the second measurement, times the rounds of the first
_AGAIN = 3
# much slower ones are timed no more
_HOPELESS = 0.75

Track = Callable[[Iterable, int, str], Iterable]


class Loaded(Protocol):
    """See `kernel_bench.Loaded`."""

    def run(self, name: str) -> np.ndarray: ...

    def seconds(self, name: str) -> tuple[float, float]: ...


class Bench(Protocol):
    """See `kernel_bench.Local` and `kernel_bench.Remote`."""

    def load(
        self, functions: Any, arrays: Sequence[np.ndarray]
    ) -> AbstractContextManager[Loaded]: ...


@dataclasses.dataclass(frozen=True)
class Tuned:
    """What was found for a kernel.

    Attributes:
      signature: of the kernel.
      choice: the tile's changes, and what they gain.
      tried: how many tiles.
    """

    signature: str
    choice: Choice
    tried: int


def kernels_of(path: str | os.PathLike, tile: Tile) -> list[Kernel]:
    """Returns the kernels of a `.tflite` file.

    Raises:
      ValueError: if it cannot be read; see `frontend.load`.
    """
    return [kernel for _, kernel in rewrite(frontend.load(path), tile).kernels]


def tune(
    kernels: Iterable[Kernel],
    tile: Tile,
    bench: Bench,
    *,
    quick: bool = False,
    seed: int = 0,
    track: Track = lambda items, total, description: items,
) -> list[Tuned]:
    """Searches a tile for each kernel; those with the same signature share one.

    Args:
      kernels: of networks; those with nothing to choose are left out.
      tile: of the processor.
      bench: compiles and times.
      quick: fewer tiles and rounds.
      seed: of arrays and the order of turns.
      track: shows progress.

    Warns:
      of tiles that compute something else than the processor's.
    """
    named: dict[str, Kernel] = {}
    for kernel in kernels:
        key = signature(kernel)
        if key is not None:
            named.setdefault(key, kernel)
    rng = np.random.default_rng(seed)
    rounds = _ROUNDS_QUICK if quick else _ROUNDS
    found = []
    for key, kernel in track(named.items(), len(named), "Tuning"):
        tiles = candidates(kernel, tile, quick)
        if len(tiles) > 1:
            choice = _best(key, kernel, tiles, bench, rounds, rng)
            found.append(Tuned(key, choice, len(tiles)))
    return found


def _best(
    key: str,
    kernel: Kernel,
    tiles: Sequence[Tile],
    bench: Bench,
    rounds: int,
    rng: np.random.Generator,
) -> Choice:
    functions = {
        f"tile_{i}": kernel.function(f"tile_{i}", tile) for i, tile in enumerate(tiles)
    }
    own, *others = functions
    with bench.load(functions, arrays(kernel, functions[own], rng)) as loaded:
        expected = loaded.run(own)
        right = [name for name in others if _agrees(loaded.run(name), expected)]
        for name in others:
            if name not in right:
                changed = changes(tiles[others.index(name) + 1], tiles[0])
                warnings.warn(
                    f"{key} computes something else with {changed}; this tile is "
                    "left out. It is an error of tfmot_onexn: please report it.",
                    stacklevel=3,
                )
        times = _turns(loaded, [own, *right], 1, rng)
        close = [name for name in right if _gain(times, own, name) > _HOPELESS]
        times = _turns(loaded, [own, *close], rounds, rng)
        gains = {name: _gain(times, own, name) for name in close}
        best = max(gains, key=gains.__getitem__, default=own)
        if gains.get(best, 1.0) >= LEAST_GAIN:
            times = _turns(loaded, [own, best], _AGAIN * rounds, rng)
    gain = _gain(times, own, best)
    default_us, best_us = (
        1e6 * float(np.median(times[name][:, 0])) for name in (own, best)
    )
    code = fingerprint(kernel, tiles[0])
    if best == own or min(gain, gains[best]) < LEAST_GAIN:
        return Choice({}, default_us, default_us, 1.0, code)
    changed = changes(tiles[int(best.rpartition("_")[2])], tiles[0])
    return Choice(changed, default_us, best_us, gain, code)


def _turns(
    loaded: Loaded, names: Sequence[str], rounds: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Times kernels round by round, each round in another order: ``[rounds, 2]``."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for i in rng.permutation(len(names)):
            times[names[i]].append(loaded.seconds(names[i]))
    return {name: np.array(each) for name, each in times.items()}


def _gain(times: Mapping[str, np.ndarray], own: str, name: str) -> float:
    """Returns the lesser of the gains in a cache and outside."""
    return float(np.median(times[own] / times[name], axis=0).min())


def _agrees(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether a kernel writes what it should, and nowhere else: no number stays."""
    written = ~np.isnan(expected)
    if not np.array_equal(written, ~np.isnan(found)):
        return False
    largest = float(np.abs(expected[written]).max())
    error = float(np.abs(found[written] - expected[written]).max())
    return error <= _AGREES * max(largest, 1e-30)


def arrays(kernel: Kernel, function: Any, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns arrays for the parameters of a kernel, the output last."""
    found = {
        str(each.name): rng.normal(size=[int(size) for size in each.shape]).astype(
            np.float32
        )
        for each in function.params
    }
    if "indptr" in found:
        indices, indptr = _blocks(
            len(found["indices"]), len(found["indptr"]) - 1, _columns(kernel), rng
        )
        found |= {"indices": indices, "indptr": indptr}
    return list(found.values())


def _columns(kernel: Any) -> int:
    return int(kernel.columns)


def _blocks(
    count: int, rows: int, columns: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices and indptr of blocks that stand anywhere, in order of rows."""
    at = np.sort(rng.choice(rows * columns, size=count, replace=False))
    counts = np.bincount(at // columns, minlength=rows)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return (at % columns).astype(np.int32), indptr.astype(np.int32)
