"""The published numbers, against each other and against the papers' own claims."""

import pytest

from tfmot_onexn.experiments.papers import published


def test_tables_1_and_2_agree_where_they_report_the_same_network():
    for n, (without, with_sort) in published.TABLE1.items():
        assert without < with_sort
        if n != 4:  # 69.579 and 69.706 in the paper itself
            assert published.TABLE2["mobilenet_v2"][f"1×{n}"] == with_sort


@pytest.mark.parametrize("network", published.TABLE2)
def test_finer_pruning_is_more_accurate(network):
    found = published.TABLE2[network]
    order = ["dense", "weight", "1×2", "1×4", "1×8", "1×16", "1×32", "filter"]
    values = [found[name] for name in order]
    assert values == sorted(values, reverse=True)


def test_figure_4_falls_with_p():
    for values in published.FIG4.values():
        assert list(values) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
        assert list(values.values()) == sorted(values.values(), reverse=True)


def test_a_number_that_was_not_published_is_a_dash():
    assert published.of(published.TABLE2, "mobilenet", "1×4") == "70.1"
    assert published.of(published.TABLE2, "mobilenet", "1×5") == "–"
    assert published.of(published.TABLE2, "resnet50", "1×4") == "–"
