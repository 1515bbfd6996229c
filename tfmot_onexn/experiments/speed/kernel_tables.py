"""Tables of kernels: a row for each shape, for each n and sparsity, for each window."""

import math
from collections.abc import Iterable, Sequence

import numpy as np

from tfmot_onexn.experiments.speed.depthwise_speed import DepthwiseResult
from tfmot_onexn.experiments.speed.kernel_speed import Case, KernelResult
from tfmot_onexn.experiments.speed.kernel_timing import Spread
from tfmot_onexn.experiments.tables import Table, percent

_ISA_NAMES = {"avx512": "AVX-512", "avx2": "AVX2", "neon": "NEON"}


def shapes(results: Sequence[KernelResult], isa: str) -> Table:
    """Returns GMAC/s and share of peak of each shape on an ISA."""
    own = [result for result in results if result.isa == isa]
    cases = list(dict.fromkeys((each.n, each.sparsity) for each in in_order(own)))
    by_shape: dict[str, dict[Case, KernelResult]] = {}
    for each in own:
        shape = each.shape
        size = f"{shape.height}×{shape.width} {shape.inputs}→{shape.outputs}"
        by_shape.setdefault(size, {})[each.n, each.sparsity] = each
    rows = [
        (
            size,
            *(
                f"{found[case].gmacs.median:.0f} "
                f"{percent(found[case].share_of_peak.median)}"
                if case in found
                else "–"
                for case in cases
            ),
        )
        for size, found in by_shape.items()
    ]
    names = ("dense" if n is None else f"n={n} {percent(p)}" for n, p in cases)
    header = ("H×W K→M", *names)
    title = f"GMAC/s and share of peak, {isa_name(isa)}"
    return Table(title, header, tuple(rows))


def cases(results: Sequence[KernelResult]) -> Table:
    """Returns a summary by n and sparsity, of the shapes with a goal, beside CSR."""
    chosen = [result for result in results if result.targeted]
    csr = {
        (each.isa, each.shape, each.sparsity): each.microseconds.median
        for each in chosen
        if each.n == 1
    }
    found: dict[Case, list[KernelResult]] = {}
    for each in in_order(chosen):
        found.setdefault((each.n, each.sparsity), []).append(each)
    rows = [
        (
            {None: "dense", 1: "1 (CSR)"}.get(n, str(n)),
            percent(sparsity),
            str(len(own)),
            share(own),
            f"{np.median([each.gmacs.median for each in own]):.0f}",
            mean(each.dense.median for each in own),
            mean(medians(each.scipy for each in own)),
            mean(
                csr[key] / each.microseconds.median
                for each in own
                if (key := (each.isa, each.shape, each.sparsity)) in csr
            ),
        )
        for (n, sparsity), own in found.items()
    ]
    header = (
        *("n", "zeros", "shapes", "of peak", "GMAC/s", "over dense XNNPACK"),
        *("over SciPy's BSR", "over CSR"),
    )
    return Table("1×1 convolutions with M, K ≥ 64 and P ≥ 196", header, tuple(rows))


def depthwise(results: Sequence[DepthwiseResult]) -> Table:
    """Returns a summary by window and stride."""
    found: dict[tuple[int, int], list[DepthwiseResult]] = {}
    for each in results:
        found.setdefault((each.shape.taps, each.shape.stride), []).append(each)
    rows = [
        (
            f"{taps}×{taps}",
            str(stride),
            str(len(own)),
            _range([each.gmacs.median for each in own]),
            _range([each.gigabytes.median for each in own]),
            mean(each.litert.median for each in own),
        )
        for (taps, stride), own in sorted(found.items())
    ]
    header = ("window", "stride", "shapes", "GMAC/s", "GB/s", "over XNNPACK")
    return Table("Depthwise convolutions", header, tuple(rows))


def isa_name(isa: str) -> str:
    """Returns an ISA as people write it."""
    return _ISA_NAMES.get(isa, isa)


def in_order(results: Iterable[KernelResult]) -> list[KernelResult]:
    """Returns results by ISA, the widest first, n, the largest first, and sparsity."""
    order = list(_ISA_NAMES)
    return sorted(
        results,
        key=lambda each: (
            *(order.index(each.isa), each.n is not None),
            *(-(each.n or 0), each.sparsity),
        ),
    )


def share(results: Sequence[KernelResult]) -> str:
    """Returns the median share of peak, and the least and the most."""
    if not results:
        return "–"
    return _range([100 * each.share_of_peak.median for each in results], " %")


def _range(values: Sequence[float], unit: str = "") -> str:
    return f"{np.median(values):.0f}{unit} ({min(values):.0f}–{max(values):.0f})"


def medians(spreads: Iterable[Spread | None]) -> list[float]:
    """Returns the medians of what was measured."""
    return [spread.median for spread in spreads if spread is not None]


def mean(ratios: Iterable[float]) -> str:
    """Returns the geometric mean of ratios."""
    logs = [math.log(ratio) for ratio in ratios]
    return f"{math.exp(np.mean(logs)):.2f}×" if logs else "–"
