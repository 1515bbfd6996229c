"""Tunes the tiles that come with the package, on this machine.

Kernels of networks are tuned as `onexn tune` does. A file then runs as a plan with what
was found for it, and without, in turns; what makes a whole network no faster is left
out. Writes the database of the package.

Run as ``python -m tfmot_onexn.experiments.speed.tile_defaults [--quick]``, after
kernels have changed: what was found for others is not used.
"""

import argparse
import dataclasses
import pathlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import rich.console
import rich.progress

from tfmot_onexn.benchmark import latency, paired, runtimes
from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.latency import Job, Track, untracked
from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.experiments.speed import model_speed
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.experiments.tables import Table
from tfmot_onexn.tvm import build, builds

_HALF = tuple((n, 0.5) for n in (16, 8, 4))
PLANS = (
    *(Plan(name, _HALF) for name in ("mobilenet", "mobilenet_v2")),
    Plan("mobilenet_v3_large", _HALF),
    Plan("resnet50", ((16, 0.6),), windows=True, rounds=8, runs=3),
)
QUICK = (Plan("mobilenet", ((8, 0.5),), size=32, alpha=0.25, rounds=4, runs=3),)


@dataclasses.dataclass(frozen=True)
class Tried:
    """A file with the tiles that were found for it, and without.

    Attributes:
      name: of the file.
      own_ms: median without.
      gain: how much faster it is with them.
      signatures: of the kernels with another tile.
    """

    name: str
    own_ms: float
    gain: Ratio
    signatures: frozenset[str]

    @property
    def faster(self) -> bool:
        """Whether it is significantly faster with them."""
        return self.gain.low > 1


def measure(
    plans: Sequence[Plan],
    out: pathlib.Path,
    *,
    quick: bool = False,
    seed: int = 0,
    track: Track = untracked,
) -> list[Tried]:
    """Tunes the kernels of networks, and writes what makes these faster.

    Args:
      plans: networks and their files.
      out: the database. It is written anew.
      quick: searches less.
      seed: of weights and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if a file cannot be built or run, or the database not be written.
    """
    from tfmot_onexn.tvm import kernel_bench, processors, tiles, tune
    from tfmot_onexn.tvm import tuning_database as database

    target, tile = processors.processor("host")
    bench = kernel_bench.Local(target)
    machine = machine_lib.describe()
    origin = {"machine": machine["cpu"], "tvm": machine["versions"]["apache-tvm"]}
    known: dict[str, database.Choice] = {}
    tried = []
    for plan in plans:
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary)
            written = model_speed.build_files(plan, folder, seed, track)
            for path, _ in written.values():
                kernels = tune.kernels_of(path, tile)
                named = {key: k for k in kernels if (key := database.signature(k))}
                unknown = [k for key, k in named.items() if key not in known]
                found = tune.tune(unknown, tile, bench, quick=quick, track=track)
                known |= {each.signature: each.choice for each in found}
                choices = {key: known[key] for key in named if key in known}
                databases = {}
                for name, of_file in (("own", _emptied(choices)), ("tuned", choices)):
                    databases[name] = folder / f"{pathlib.Path(path).stem}_{name}.json"
                    database.write(databases[name], tiles.isa(tile), of_file, **origin)
                changed = frozenset(key for key, each in choices.items() if each.tile)
                if changed:
                    result = _compare(plan, path, databases, seed, track)
                    tried.append(dataclasses.replace(result, signatures=changed))
    kept = {key: known[key] for key in kept_signatures(tried)}
    out.unlink(missing_ok=True)
    database.write(out, tiles.isa(tile), kept, **origin)
    return tried


def kept_signatures(tried: Sequence[Tried]) -> list[str]:
    """Returns the kernels whose tiles made every file faster that has them."""
    good = {key for each in tried if each.faster for key in each.signatures}
    bad = {key for each in tried if not each.faster for key in each.signatures}
    return sorted(good - bad)


def _emptied(choices: Mapping) -> dict:
    return {key: dataclasses.replace(each, tile={}) for key, each in choices.items()}


def _compare(
    plan: Plan,
    path: str,
    databases: Mapping[str, pathlib.Path],
    seed: int,
    track: Track,
) -> Tried:
    jobs = []
    for name in ("own", "tuned"):
        built = pathlib.Path(path).with_suffix(f".{name}.plan")
        build.build_tvm(path, built, format=builds.PLAN, tuned=databases[name])
        jobs.append(Job(str(built), runtimes.TVM_PLAN))
    timings = latency.measure(
        jobs,
        runs=plan.rounds * plan.runs,
        rounds=plan.rounds,
        seed=seed,
        track=track,
    )
    for timing in timings:
        if timing.error is not None:
            raise ValueError(f"{path}: {timing.error}")
    own, tuned = (
        np.array(timing.milliseconds).reshape(plan.rounds, -1) for timing in timings
    )
    gain = paired.ratio(own, tuned)
    return Tried(pathlib.Path(path).stem, float(np.median(own)), gain, frozenset())


def table(tried: Sequence[Tried]) -> Table:
    """Returns what tuning brings whole networks."""
    rows = [
        (
            each.name,
            f"{each.own_ms:.2f}",
            str(len(each.signatures)),
            str(each.gain),
            "kept" if each.faster else "left out",
        )
        for each in tried
    ]
    header = ("file", "usual tiles, ms", "kernels with others", "faster", "their tiles")
    return Table("Networks with tuned tiles", header, tuple(rows))


def main(argv: Sequence[str] | None = None) -> None:
    """Tunes, prints and writes."""
    from tfmot_onexn.tvm import tuning_database

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a trial in a minute")
    parser.add_argument("--out", type=pathlib.Path, default=tuning_database.SHIPPED)
    arguments = parser.parse_args(argv)
    plans = QUICK if arguments.quick else PLANS
    tried = measure(plans, arguments.out, quick=arguments.quick, track=_track)
    console = rich.console.Console(width=130)
    console.print(table(tried).for_terminal())
    machine = machine_lib.one_line(machine_lib.describe())
    console.print(f"{machine}.", style="dim", highlight=False)
    console.print(f"Written: {arguments.out}", highlight=False, soft_wrap=True)


def _track(items: Iterable, total: int, description: str) -> Iterable:
    return rich.progress.track(items, description, total)


if __name__ == "__main__":
    main()
