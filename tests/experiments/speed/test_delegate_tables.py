from kernel_results import SMALL, kernel

from tfmot_onexn.benchmark.paired import Ratio
from tfmot_onexn.experiments.speed import delegate_tables
from tfmot_onexn.experiments.speed.load_cost import Cost
from tfmot_onexn.experiments.speed.model_speed import FileResult, Measured, Plan


def file(delegate=None, n=16, sparsity=0.5, **more):
    values = {
        "delegate": delegate or Ratio(1.8, 1.7, 1.9),
        "dense_ms": 7.0,
        "stock_ms": 7.1,
        "delegate_ms": 3.9,
        "stock": Ratio(0.99, 0.98, 1.0),
        "narrow": Ratio(1.2, 1.1, 1.3),
        "two_threads": Ratio(1.75, 1.7, 1.8),
        "dense_two_threads": Ratio(1.85, 1.8, 1.9),
    }
    return FileResult(network="v2", n=n, sparsity=sparsity, **{**values, **more})


def plan(files, gate=False, loads=None):
    cases = tuple((each.n, each.sparsity) for each in files)
    return Measured(Plan("v2", cases, gate=gate), [], files, loads or {})


def test_networks():
    files = [file(), file(n=4, narrow=None, two_threads=None, dense_two_threads=None)]
    table = delegate_tables.models([plan(files), plan([file()], gate=True)], "avx2")
    assert table.header[-3:] == (
        *("AVX2 only", "two threads over one", "two over one, dense"),
    )
    same = ("50 %", "7.00", "3.90", "1.80× (1.70–1.90)", "0.99×")
    assert table.rows == (
        ("v2", "16", *same, "1.20×", "1.75×", "1.85×"),
        ("v2", "4", *same, "–", "–", "–"),
    )


def test_the_gate_tells_what_is_slower():
    slow = file(Ratio(0.95, 0.92, 0.98), n=1, sparsity=0.3)
    measured = [plan([file()]), plan([slow, file(Ratio(1.0, 0.9, 1.1))], gate=True)]
    assert [row[-1] for row in delegate_tables.gate(measured).rows] == ["SLOWER", "no"]
    assert delegate_tables.gate_sentence(measured) == (
        "Of 2 v2 files with small N or few zeros, 1 ran significantly slower with the "
        "delegate than dense; the lowest ratio was 0.95× (0.92–0.98), at N = 1 and "
        "30 % zeros."
    )
    calm = [plan([file(Ratio(1.01, 0.99, 1.02))], gate=True)]
    assert ", none ran significantly slower" in delegate_tables.gate_sentence(calm)


def test_loads():
    costs = {
        "dense": Cost(11.2, 42.0),
        "stock": Cost(51.0, 45.0),
        "delegate": Cost(5.1, 30.6),
    }
    table = delegate_tables.loads([plan([file()], loads=costs), plan([file()])])
    assert table.rows == (("v2", "16", "50 %", "42", "45", "31", "11", "51", "5"),)


def test_kernels_are_summed_up_by_isa_and_n():
    results = [
        *(kernel(share) for share in (0.8, 0.9, 0.86)),
        kernel(0.5, sparsity=0.9),
        kernel(0.7, isa="avx2"),
        kernel(0.66, n=4),
        kernel(0.3, n=2),
        # without a goal
        kernel(0.1, shape=SMALL),
    ]
    table = delegate_tables.kernels(results)
    rows = {row[:2]: row[2:] for row in table.rows}
    assert list(rows) == [
        *(("AVX-512", "8"), ("AVX-512", "4"), ("AVX-512", "2"), ("AVX2", "8")),
    ]
    assert rows["AVX-512", "8"][:4] == (
        *("86 % (80–90)", "50 % (50–50)", "2 of 4", "83"),
    )
    assert rows["AVX-512", "4"][:4] == ("66 % (66–66)", "–", "1 of 1", "66")
    assert rows["AVX-512", "2"][2] == "–"
    # the geometric mean of 1.6, 1.8 and 1.72
    assert rows["AVX-512", "8"][4:] == ("1.70×", "1.00×", "5.00×", "10.00×")


def test_nothing_measured_of_large_shapes_is_an_empty_table():
    assert delegate_tables.kernels([kernel(0.5, shape=SMALL)]).rows == ()
