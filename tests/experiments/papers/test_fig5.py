"""The page of `fig5`, from results that need no training."""

from paper_results import assert_whole

from tfmot_onexn.experiments.papers.fig5 import FIG5


def page_of(setting, store, seeds=2):
    store.fill(FIG5.jobs(setting, seeds))
    return FIG5.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == FIG5.name == "fig5"
    assert_whole(page)
    used = "runs in turns, with ai-edge-litert 2.3.0 and apache-tvm 0.27.0;"
    assert used in page.notes[1]


def test_accuracy_and_latency_are_those_of_one_variant(quick, store):
    page = page_of(quick, store)
    by_name = {each["variant"]: each for each in page.values}
    assert set(by_name) == {"dense", "weight", "1×4", "1×16", "filter"}
    assert by_name["dense"]["ms"]["TVM plan"] == 3.25
    rows = {row[0]: row for row in page.tables[0].rows}
    assert rows["dense"][-1] == "3.25 (2.60–4.88)"
    assert by_name["1×16"]["ms"]["LiteRT + delegate"] == 3.25 - 0.5 - 0.16
    assert by_name["1×16"]["top1"] < by_name["1×4"]["top1"]


def test_nothing_else_runs_while_time_is_measured(quick):
    *_, latency = FIG5.jobs(quick, 1)
    assert not latency.parallel
    assert latency.phase > max(job.phase for job in FIG5.jobs(quick, 1)[:-1])
