from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.experiments.speed import tvm_tables
from tfmot_onexn.experiments.speed.break_even import BreakEven, Crossing, Point
from tfmot_onexn.experiments.speed.model_speed import Plan
from tfmot_onexn.experiments.speed.tvm_models import FileResult, Measured, RivalResult


def ratio(value):
    return Ratio(value, value - 0.1, value + 0.1)


def file(n, sparsity):
    values = map(ratio, (1.8, 1.7, 1.6, 1.5, 1.4))
    return FileResult("v2", n, sparsity, 1.234, *values)


RIVALS = [
    RivalResult("v2", 16, "weight", 0.5, 1.6, 4.5, ratio(2.8)),
    RivalResult("v2", 16, "filter", 0.5, 1.6, 0.9, ratio(0.56)),
]
MEASURED = [
    Measured(
        Plan("v2", ((16, 0.5),)), 3.0, [file(None, 0.0), file(16, 0.5)], RIVALS, []
    )
]


def even(litert, dense_plan):
    points = [Point(p, 3.0, ratio(1.01), ratio(0.98)) for p in (0.0, 0.05, 0.1)]
    plan = Plan("v2", ((16, 0.05), (16, 0.1)))
    return BreakEven(plan, points, litert, dense_plan, [])


def test_networks():
    same = ("3.00", "1.23", "1.80× (1.70–1.90)", "1.70×", "1.60×", "1.50×", "1.40×")
    table = tvm_tables.models(MEASURED)
    assert table.rows == (
        *(("v2", "dense", "0 %", *same), ("v2", "16", "50 %", *same)),
    )
    assert len(table.header) == len(table.rows[0])


def test_rivals():
    table = tvm_tables.rivals(MEASURED)
    csr, smaller = "single weights, in CSR", "filters, in a smaller dense network"
    assert table.rows == (
        ("v2", "50 %", "1×16", "1.60", csr, "4.50", "2.80× (2.70–2.90)"),
        ("v2", "50 %", "1×16", "1.60", smaller, "0.90", "0.56× (0.46–0.66)"),
    )
    assert len(table.header) == len(table.rows[0])


def test_few_zeros():
    table = tvm_tables.break_even(even(Crossing(None), Crossing(None)))
    assert table.title == "Few zeros in v2, 1×16"
    assert table.rows[0] == ("dense", "3.00", "1.01× (0.91–1.11)", "1")
    assert table.rows[1] == ("5 %", "3.00", "1.01× (0.91–1.11)", "0.98× (0.88–1.08)")


def test_where_it_breaks_even():
    for litert, dense_plan, told in (
        (
            *(Crossing(0.0, True), Crossing(0.0667)),
            "dense plan at 6.7 % zeros, with dense LiteRT at 0 % zeros or less,",
        ),
        (
            *(Crossing(None), Crossing(0.05, True)),
            "dense plan at 5 % zeros or less, with dense LiteRT above 10 % zeros,",
        ),
    ):
        sentence = tvm_tables.break_even_sentence(even(litert, dense_plan))
        assert sentence == (
            f"v2 with N = 16 breaks even with its {told} by straight lines between "
            "the points."
        )
