"""The tables of `delegate_speed`, for a terminal and for Markdown."""

from collections.abc import Sequence

import numpy as np

from tfmot_onexn.experiments.speed.kernel_speed import KernelResult
from tfmot_onexn.experiments.speed.kernel_tables import (
    in_order,
    isa_name,
    mean,
    medians,
    share,
)
from tfmot_onexn.experiments.speed.model_speed import DELEGATE, DENSE, STOCK, Measured
from tfmot_onexn.experiments.tables import Table, percent

# of a kernel's peak, the project's goals: by whether n >= 8
_GOALS = {True: 0.85, False: 0.65}


def models(measured: Sequence[Measured], narrow_isa: str | None) -> Table:
    """Returns how fast networks run."""
    narrow = f"{isa_name(narrow_isa)} only" if narrow_isa else "narrower ISA"
    rows = [
        (
            file.network,
            str(file.n),
            percent(file.sparsity),
            f"{file.dense_ms:.2f}",
            f"{file.delegate_ms:.2f}",
            str(file.delegate),
            f"{file.stock.value:.2f}×",
            "–" if file.narrow is None else f"{file.narrow.value:.2f}×",
            *(
                "–" if two is None else f"{two.value:.2f}×"
                for two in (file.two_threads, file.dense_two_threads)
            ),
        )
        for each in measured
        if not each.plan.gate
        for file in each.files
    ]
    header = (
        *("network", "N", "zeros", "dense, ms", "with the delegate, ms"),
        *("faster than dense", "without the delegate", narrow, "two threads over one"),
        "two over one, dense",
    )
    return Table("Networks in LiteRT", header, tuple(rows))


def gate(measured: Sequence[Measured]) -> Table:
    """Returns whether the delegate is ever slower than dense."""
    rows = [
        (
            file.network,
            str(file.n),
            percent(file.sparsity),
            str(file.delegate),
            str(file.stock),
            "SLOWER" if file.delegate.slower else "no",
        )
        for each in measured
        if each.plan.gate
        for file in each.files
    ]
    header = ("network", "N", "zeros", "with the delegate", "without", "slower?")
    return Table("Files that gain little, over dense", header, tuple(rows))


def gate_sentence(measured: Sequence[Measured]) -> str:
    """Returns what the table of `gate` comes to."""
    files = [file for each in measured if each.plan.gate for file in each.files]
    lowest = min(files, key=lambda file: file.delegate.value)
    slower = sum(file.delegate.slower for file in files)
    return (
        f"Of {len(files)} {lowest.network} files with small N or few zeros, "
        f"{slower or 'none'} ran significantly slower with the delegate than dense; "
        f"the lowest ratio was {lowest.delegate}, at N = {lowest.n} and "
        f"{percent(lowest.sparsity)} zeros."
    )


def loads(measured: Sequence[Measured]) -> Table:
    """Returns what loading costs."""
    rows = [
        (
            each.plan.network,
            str(each.plan.cases[0][0]),
            percent(each.plan.cases[0][1]),
            *(f"{each.loads[way].peak_mb:.0f}" for way in (DENSE, STOCK, DELEGATE)),
            *(
                f"{each.loads[way].milliseconds:.0f}"
                for way in (DENSE, STOCK, DELEGATE)
            ),
        )
        for each in measured
        if each.loads
    ]
    ways = ("dense", "1×N", "with the delegate")
    header = (
        *("network", "N", "zeros"),
        *(f"peak MB, {way}" for way in ways),
        *(f"load ms, {way}" for way in ways),
    )
    return Table("Peak memory and load time in LiteRT", header, tuple(rows))


def kernels(results: Sequence[KernelResult]) -> Table:
    """Returns a summary of kernels by ISA and n, of the shapes with a goal."""
    chosen = [result for result in results if result.targeted]
    sparsities = sorted({result.sparsity for result in chosen})
    rows = []
    kinds = dict.fromkeys((result.isa, result.n or 0) for result in in_order(chosen))
    for isa, n in kinds:
        own = [result for result in chosen if (result.isa, result.n) == (isa, n)]
        at = {p: [each for each in own if each.sparsity == p] for p in sparsities}
        reached = sum(each.share_of_peak.median >= _GOALS[n >= 8] for each in own)
        rows.append(
            (
                isa_name(isa),
                str(n),
                *(share(at[p]) for p in sparsities),
                f"{reached} of {len(own)}" if n >= 4 else "–",
                f"{np.median([each.gmacs.median for each in own]):.0f}",
                *(mean(each.dense.median for each in at[p]) for p in sparsities),
                mean(medians(each.scipy for each in own)),
                mean(medians(each.reference for each in own)),
            )
        )
    header = (
        *("ISA", "n"),
        *(f"of peak at {percent(p)} zeros" for p in sparsities),
        *("reach the goal", "GMAC/s"),
        *(f"over dense at {percent(p)}" for p in sparsities),
        *("over SciPy", "over plain loops"),
    )
    return Table("1×1 convolutions with M, K ≥ 64 and P ≥ 196", header, tuple(rows))
