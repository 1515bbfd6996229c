"""How fast the delegate is: its kernels, and whole networks with it.

See `kernel_speed`, `model_speed` and `load_cost` for what is measured. Prints tables,
writes ``delegate_speed.json`` and renews the tables of a README.

Run as ``python -m tfmot_onexn.experiments.speed.delegate_speed [--quick]``.
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
from tfmot_onexn.benchmark.rows import to_json
from tfmot_onexn.experiments import tables
from tfmot_onexn.experiments.speed import (
    delegate_tables,
    kernel_speed,
    kernel_tables,
    model_speed,
    turns,
)
from tfmot_onexn.experiments.speed.kernel_providers import DelegateKernels
from tfmot_onexn.experiments.speed.kernel_speed import KernelResult
from tfmot_onexn.experiments.speed.model_speed import Measured
from tfmot_onexn.networks import files

PARTS = ("kernels", "models")
MARKERS = ("<!-- bench-delegate -->", "<!-- /bench-delegate -->")
# where `make bench-delegate` builds it
LIBRARY = "build/testing/testing/libonexn_testing.so"
_WIDTH = 130
# of a trial: the first shape, every so many, and rounds
_QUICK_SHAPES, _QUICK_ROUNDS = slice(1, None, 16), 3
_QUICK_CASES = ((16, 0.75), (4, 0.75))


@dataclasses.dataclass(frozen=True)
class Results:
    """All that was measured.

    Attributes:
      machine: see `machine.describe`.
      isas: of the delegate, the widest first.
      kernels: empty if they were left out.
      models: one of each plan, empty if they were left out.
    """

    machine: dict[str, Any]
    isas: list[str]
    kernels: list[KernelResult]
    models: list[Measured]

    @property
    def narrow_isa(self) -> str | None:
        """The second ISA, if there is one."""
        return self.isas[1] if len(self.isas) > 1 else None


def run(library: Library, parts: Sequence[str] = PARTS, quick: bool = False) -> Results:
    """Measures parts of it all."""
    results = Results(machine_lib.describe(), library.isas(), [], [])
    if "kernels" in parts:
        kernels, shapes = DelegateKernels(library), kernel_speed.default_shapes()
        if quick:
            cases = kernel_speed.listed(shapes[_QUICK_SHAPES], _QUICK_CASES, ())
            found = kernel_speed.measure(
                kernels, cases, rounds=_QUICK_ROUNDS, track=_track
            )
        else:
            cases = kernel_speed.listed(shapes)
            found = kernel_speed.measure(kernels, cases, track=_track)
        results.kernels.extend(found)
    if "models" in parts:
        plans = model_speed.QUICK if quick else model_speed.PLANS
        for plan in plans:
            measured = model_speed.measure(plan, results.narrow_isa, track=_track)
            results.models.append(measured)
    return results


def show(console: rich.console.Console, results: Results) -> None:
    """Prints the tables."""
    shown = []
    if results.kernels:
        shown += [kernel_tables.shapes(results.kernels, isa) for isa in results.isas]
        shown.append(delegate_tables.kernels(results.kernels))
    if results.models:
        shown.append(delegate_tables.models(results.models, results.narrow_isa))
        shown.append(delegate_tables.loads(results.models))
        shown.append(delegate_tables.gate(results.models))
    for table in shown:
        console.print(table.for_terminal())
    console.print(caption(results), style="dim", highlight=False)


def document(results: Results) -> str:
    """Returns all of it as JSON, the networks' rows as ``onexn benchmark`` has them."""
    return to_json(
        results.machine,
        [row for each in results.models for row in each.rows],
        kernels=[dataclasses.asdict(each) for each in results.kernels],
        comparisons=[
            {**dataclasses.asdict(file), "gate": each.plan.gate}
            for each in results.models
            for file in each.files
        ],
        loads=[
            {
                "network": each.plan.network,
                "n": each.plan.cases[0][0],
                "sparsity": each.plan.cases[0][1],
                **{way: dataclasses.asdict(cost) for way, cost in each.loads.items()},
            }
            for each in results.models
            if each.loads
        ],
    )


def caption(results: Results) -> str:
    """Returns how it was measured, and on what."""
    return turns.caption(
        [(each.plan.rounds, each.plan.runs) for each in results.models],
        [row for each in results.models for row in each.rows],
        results.machine,
    )


def readme_text(results: Results) -> str:
    """Returns the tables of the README."""
    narrow = results.narrow_isa
    gate = delegate_tables.gate_sentence(results.models)
    limited = ""
    if narrow is not None:
        name = kernel_tables.isa_name(narrow)
        limited = (
            f"“{name} only” limits the delegate, not XNNPACK, which keeps "
            f"{kernel_tables.isa_name(results.isas[0])}. "
        )
    return "\n".join(
        [
            delegate_tables.models(results.models, narrow).markdown(),
            "Batch 1, 224×224, one thread, random weights, no rearrangement; 1×1 "
            "convolutions but the classifier pruned, of ResNet50 3×3 too. Ratios of "
            "medians over the dense file in stock LiteRT (XNNPACK), with a paired 95 % "
            f"bootstrap interval. {limited}{gate}\n",
            delegate_tables.kernels(results.kernels).markdown(),
            "1×1 convolutions of MobileNet V1, V2 and V3-large with M, K ≥ 64 and "
            "P ≥ 196, one thread: median (least–most) over shapes of GMAC/s of "
            "non-zero weights ÷ what the ISA does from registers. The goal is 85 % for "
            "n ≥ 8 and 65 % for n = 4. “Over”: geometric means over XNNPACK on the "
            "dense layer, SciPy's BSR product and plain loops.\n",
            delegate_tables.loads(results.models).markdown(),
            f"{caption(results)} Again: `make bench-delegate`.",
        ]
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--library", dest="testing", default=LIBRARY, help="see `delegate_kernels`"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="a trial in a minute")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("report"))
    parser.add_argument("--readme", type=pathlib.Path, help="whose tables to renew")
    arguments = parser.parse_args(argv)
    if arguments.readme and set(arguments.parts) != set(PARTS):
        parser.error("--readme needs all parts")
    results = run(Library(arguments.testing), arguments.parts, arguments.quick)
    console = rich.console.Console(width=_WIDTH)
    show(console, results)
    arguments.out.mkdir(parents=True, exist_ok=True)
    written = arguments.out / "delegate_speed.json"
    files.write(written, document(results).encode())
    console.print(f"Written: {written}", highlight=False, soft_wrap=True)
    if arguments.readme:
        tables.replace_between(arguments.readme, MARKERS, readme_text(results))


def _track(items: Iterable, total: int, description: str) -> Iterable:
    return rich.progress.track(items, description, total=total)


if __name__ == "__main__":
    main()
