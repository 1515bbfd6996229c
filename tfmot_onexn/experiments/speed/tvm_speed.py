"""How fast TVM builds are: their kernels, and whole networks.

See `kernel_speed`, `depthwise_speed`, `tvm_models` and `break_even` for what is
measured. Prints tables, writes ``tvm_speed.json`` and ``tvm_kernels.json``, and renews
the tables of a README.

Run as ``python -m tfmot_onexn.experiments.speed.tvm_speed [--quick]``.
"""

import argparse
import dataclasses
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import rich.console
import rich.progress

from tfmot_onexn.benchmark import machine as machine_lib
from tfmot_onexn.benchmark.delegate_kernels import Library
from tfmot_onexn.benchmark.rows import Row, to_json
from tfmot_onexn.experiments import tables
from tfmot_onexn.experiments.speed import (
    break_even,
    depthwise_speed,
    kernel_speed,
    kernel_tables,
    turns,
    tvm_models,
    tvm_tables,
)
from tfmot_onexn.experiments.speed.break_even import BreakEven
from tfmot_onexn.experiments.speed.depthwise_speed import DepthwiseResult
from tfmot_onexn.experiments.speed.kernel_providers import TvmKernels
from tfmot_onexn.experiments.speed.kernel_speed import KernelResult, is_targeted
from tfmot_onexn.experiments.speed.tvm_models import Measured
from tfmot_onexn.networks import files

PARTS = ("kernels", "models")
MARKERS = ("<!-- bench-tvm -->", "<!-- /bench-tvm -->")
# where `make bench-tvm` builds what measures the peak
LIBRARY = "build/testing/testing/libonexn_testing.so"
_WIDTH = 130
# of all shapes, and of those with a goal; most of the time goes into compiling
_CASES = (
    *(kernel_speed.DENSE, (16, 0.5), (16, 0.75), (16, 0.9)),
    *((8, 0.75), (4, 0.75)),
)
_MORE_CASES = (
    *((n, p) for n in (8, 4) for p in (0.5, 0.9)),
    *((1, p) for p in (0.5, 0.75, 0.9)),
)
_ROUNDS = 8
# of a trial: the first shape, every so many, and rounds
_QUICK_SHAPES, _QUICK_ROUNDS = slice(1, None, 16), 3
_QUICK_CASES = (kernel_speed.DENSE, (16, 0.75), (1, 0.75))


@dataclasses.dataclass(frozen=True)
class Results:
    """All that was measured.

    Attributes:
      machine: see `machine.describe`.
      kernels: 1x1 convolutions, empty if kernels were left out.
      depthwise: likewise.
      models: one of each plan, empty if networks were left out.
      break_even: None then.
    """

    machine: dict[str, Any]
    kernels: list[KernelResult]
    depthwise: list[DepthwiseResult]
    models: list[Measured]
    break_even: BreakEven | None

    @property
    def rows(self) -> list[Row]:
        """Of all networks."""
        of_few = self.break_even.rows if self.break_even else []
        return [*(row for each in self.models for row in each.rows), *of_few]


def run(
    library: str | pathlib.Path, parts: Sequence[str] = PARTS, quick: bool = False
) -> Results:
    """Measures parts of it all; ``library`` measures the peak, see `TvmKernels`."""
    results = Results(machine_lib.describe(), [], [], [], None)
    if "kernels" in parts:
        shapes = kernel_speed.default_shapes()
        networks: Sequence[str] = depthwise_speed.NETWORKS
        cases = kernel_speed.listed(
            *(shapes, _CASES, _MORE_CASES), lambda _, shape: is_targeted(shape)
        )
        rounds = _ROUNDS
        if quick:
            cases = kernel_speed.listed(shapes[_QUICK_SHAPES], _QUICK_CASES, ())
            networks, rounds = networks[1:2], _QUICK_ROUNDS
        kernels = TvmKernels(Library(library))
        results.kernels.extend(
            kernel_speed.measure(kernels, cases, rounds=rounds, track=_track)
        )
        results.depthwise.extend(
            depthwise_speed.measure(
                depthwise_speed.default_shapes(networks), rounds=rounds, track=_track
            )
        )
    if "models" in parts:
        for plan in tvm_models.QUICK if quick else tvm_models.PLANS:
            results.models.append(tvm_models.measure(plan, track=_track))
        plan = break_even.QUICK if quick else break_even.PLAN
        found = break_even.measure(plan, track=_track)
        results = dataclasses.replace(results, break_even=found)
    return results


def show(console: rich.console.Console, results: Results) -> None:
    """Prints the tables."""
    shown = []
    if results.kernels:
        isa = results.kernels[0].isa
        narrow = [each for each in results.kernels if each.sparsity in (0.0, 0.75)]
        shown.append(kernel_tables.shapes(narrow, isa))
        shown.append(kernel_tables.cases(results.kernels))
        shown.append(kernel_tables.depthwise(results.depthwise))
    if results.models:
        shown.append(tvm_tables.models(results.models))
        shown.append(tvm_tables.rivals(results.models))
    if results.break_even:
        shown.append(tvm_tables.break_even(results.break_even))
    for table in shown:
        console.print(table.for_terminal())
    if results.break_even:
        console.print(tvm_tables.break_even_sentence(results.break_even))
    console.print(caption(results), style="dim", highlight=False)


def documents(results: Results) -> dict[str, str]:
    """Returns all of it as JSON, by the name of a file."""
    found = {}
    if results.models and results.break_even:
        found["tvm_speed.json"] = to_json(
            results.machine,
            results.rows,
            comparisons=[
                dataclasses.asdict(file)
                for each in results.models
                for file in each.files
            ],
            rivals=[
                dataclasses.asdict(rival)
                for each in results.models
                for rival in each.rivals
            ],
            break_even={
                "network": results.break_even.plan.network,
                "n": results.break_even.plan.cases[0][0],
                "points": [
                    dataclasses.asdict(each) for each in results.break_even.points
                ],
                "litert": dataclasses.asdict(results.break_even.litert),
                "dense_plan": dataclasses.asdict(results.break_even.dense_plan),
            },
        )
    if results.kernels:
        found["tvm_kernels.json"] = to_json(
            results.machine,
            [],
            kernels=[dataclasses.asdict(each) for each in results.kernels],
            depthwise=[dataclasses.asdict(each) for each in results.depthwise],
        )
    return found


def caption(results: Results) -> str:
    """Returns how it was measured, and on what."""
    plans = [each.plan for each in results.models]
    if results.break_even:
        plans.append(results.break_even.plan)
    counts = [(plan.rounds, plan.runs) for plan in plans]
    return turns.caption(counts, results.rows, results.machine)


def readme_text(results: Results) -> str:
    """Returns the tables of the README."""
    isa = kernel_tables.isa_name(results.kernels[0].isa)
    if results.break_even is None:
        raise ValueError("The README needs the break-even sparsity.")
    return "\n".join(
        [
            tvm_tables.models(results.models).markdown(),
            "Batch 1, 224×224, one thread, random weights, no rearrangement; 1×1 "
            "convolutions but the classifier pruned, of ResNet50 3×3 too. Ratios of "
            "medians, with a paired 95 % bootstrap interval over the dense file in "
            "stock LiteRT (XNNPACK). Nothing is tuned for a network.\n",
            tvm_tables.rivals(results.models).markdown(),
            "All of them are plans. At the same p, filter pruning removes more work: "
            "about (1 − p)² of it is left.\n",
            tvm_tables.break_even(results.break_even).markdown(),
            f"{tvm_tables.break_even_sentence(results.break_even)}\n",
            kernel_tables.cases(results.kernels).markdown(),
            f"1×1 convolutions of MobileNet V1, V2 and V3-large with M, K ≥ 64 and "
            f"P ≥ 196, {isa}, one thread: median (least–most) over shapes of GMAC/s of "
            "non-zero weights ÷ what the ISA does from registers. “Over”: geometric "
            "means over XNNPACK on the dense layer, SciPy's BSR product and the CSR "
            "kernel at the same p. “Dense” stores every block.\n",
            kernel_tables.depthwise(results.depthwise).markdown(),
            "Depthwise convolutions of the same networks: median (least–most) over "
            "shapes; GB/s of input, output and weights once each.\n",
            f"{caption(results)} Again: `make bench-tvm`.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--library", dest="testing", default=LIBRARY, help="see `delegate_kernels`"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="a trial in two minutes")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"))
    parser.add_argument("--readme", type=pathlib.Path, help="whose tables to renew")
    arguments = parser.parse_args(argv)
    if arguments.readme and set(arguments.parts) != set(PARTS):
        parser.error("--readme needs all parts")
    results = run(arguments.testing, arguments.parts, arguments.quick)
    console = rich.console.Console(width=_WIDTH)
    show(console, results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, document in documents(results).items():
        files.write(arguments.out / name, document.encode())
        console.print(
            f"Written: {arguments.out / name}", highlight=False, soft_wrap=True
        )
    if arguments.readme:
        tables.replace_between(arguments.readme, MARKERS, readme_text(results))


def _track(items: Iterable, total: int, description: str) -> Iterable:
    return rich.progress.track(items, description, total)


if __name__ == "__main__":
    main()
