"""The page of `fig4`, from results that need no training."""

from paper_results import assert_whole

from tfmot_onexn.experiments.papers.fig4 import FIG4


def page_of(setting, store, seeds=2):
    store.fill(FIG4.jobs(setting, seeds))
    return FIG4.page(setting, seeds, store)


def test_the_page_is_whole(quick, store):
    page = page_of(quick, store)
    assert page.name == FIG4.name == "fig4"
    assert_whole(page)


def test_differences_have_the_sign_of_first_less_second(quick, store):
    page = page_of(quick, store)
    assert len(page.tables) == 4
    _, differences, accuracies, _ = page.tables
    row = dict(zip(differences.header, differences.rows[0], strict=True))
    assert row["weight over filter"].startswith("+18.0")
    assert row["1×4 over 1×16"].startswith("+1.2")
    assert (
        dict(zip(accuracies.header, accuracies.rows[0], strict=True))["published, 1×16"]
        == "69.4"
    )


def test_the_published_numbers_are_of_mobilenet_v2_alone(quick, store):
    first, _, second, _ = page_of(quick, store).tables
    assert "published, weight" not in first.header
    assert "published, weight" in second.header
