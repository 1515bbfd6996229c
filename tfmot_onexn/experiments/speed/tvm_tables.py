"""The tables of `tvm_speed` on networks."""

from collections.abc import Sequence

from tfmot_onexn.experiments.speed.break_even import BreakEven, Crossing
from tfmot_onexn.experiments.speed.tvm_models import Measured
from tfmot_onexn.experiments.tables import Table, percent

_RIVALS = {
    "weight": "single weights, in CSR",
    "filter": "filters, in a smaller dense network",
}


def models(measured: Sequence[Measured]) -> Table:
    """Returns how fast networks run."""
    rows = [
        (
            file.network,
            "dense" if file.n is None else str(file.n),
            percent(file.sparsity),
            f"{each.dense_ms:.2f}",
            f"{file.plan_ms:.2f}",
            str(file.plan),
            f"{file.machine.value:.2f}×",
            f"{file.delegate.value:.2f}×",
            f"{file.over_dense_plan.value:.2f}×",
            f"{file.two_threads.value:.2f}×",
        )
        for each in measured
        for file in each.files
    ]
    header = (
        *("network", "N", "zeros", "dense in LiteRT, ms", "plan, ms"),
        *("plan over dense LiteRT", "virtual machine over it", "delegate over it"),
        *("plan over dense plan", "plan, two threads over one"),
    )
    return Table("Networks built with TVM", header, tuple(rows))


def rivals(measured: Sequence[Measured]) -> Table:
    """Returns how fast blocks are beside other ways to prune, all as plans."""
    rows = [
        (
            each.network,
            percent(each.sparsity),
            f"1×{each.n}",
            f"{each.plan_ms:.2f}",
            _RIVALS[each.method],
            f"{each.rival_ms:.2f}",
            str(each.over_rival),
        )
        for of_plan in measured
        for each in of_plan.rivals
    ]
    header = (
        *("network", "p", "blocks", "plan, ms", "rival: pruned", "its plan, ms"),
        "blocks over rival",
    )
    return Table("Blocks beside other ways to prune", header, tuple(rows))


def break_even(measured: BreakEven) -> Table:
    """Returns how fast plans of few zeros are."""
    rows = [
        (
            percent(point.sparsity) if point.sparsity else "dense",
            f"{point.plan_ms:.2f}",
            str(point.over_litert),
            str(point.over_dense_plan) if point.sparsity else "1",
        )
        for point in measured.points
    ]
    header = ("zeros", "plan, ms", "over dense LiteRT", "over the dense plan")
    n = measured.plan.cases[0][0]
    title = f"Few zeros in {measured.plan.network}, 1×{n}"
    return Table(title, header, tuple(rows))


def break_even_sentence(measured: BreakEven) -> str:
    """Returns what the table of `break_even` comes to."""
    n, last = measured.plan.cases[-1]
    return (
        f"{measured.plan.network} with N = {n} breaks even with its dense plan "
        f"{_where(measured.dense_plan, last)}, with dense LiteRT "
        f"{_where(measured.litert, last)}, by straight lines between the points."
    )


def _where(found: Crossing, last: float) -> str:
    if found.sparsity is None:
        return f"above {percent(last)} zeros"
    if found.at_most:
        return f"at {percent(found.sparsity)} zeros or less"
    return f"at {100 * found.sparsity:.1f} % zeros"
