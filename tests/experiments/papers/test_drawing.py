"""What pictures share: colours, axes, means over seeds."""

import matplotlib.colors
import numpy as np
import pytest

from tfmot_onexn.experiments.papers import drawing


def test_colours_are_distinct_and_valid():
    assert len(set(drawing.COLOURS.values())) == len(drawing.COLOURS)
    assert all(map(matplotlib.colors.is_color_like, drawing.COLOURS.values()))


def test_panels_stand_side_by_side_or_one_below_another():
    for down, sharey in ((False, True), (True, False)):
        figure, (one, other) = drawing.panels(2, (6.0, 3.0), down=down, sharey=sharey)
        figure.canvas.draw()
        first, second = one.get_position(), other.get_position()
        assert (first.y0 > second.y1) == down
        assert (first.x1 < second.x0) == (not down)
        assert one.get_shared_y_axes().joined(one, other) == sharey
        assert not one.spines["top"].get_visible()


def test_means_over_seeds_are_drawn_in_percent_with_their_spread():
    _, (axes,) = drawing.panels(1, (4.0, 3.0))
    drawing.top1_points(axes, [0.5, 0.75], [[0.4, 0.6], [0.3, 0.3]], label="a")
    (container,) = axes.containers
    line, _, (whiskers,) = container
    np.testing.assert_allclose(line.get_xydata(), [[0.5, 50], [0.75, 30]])
    spread = 100 * np.std([0.4, 0.6], ddof=1)
    low, high = whiskers.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx((50 - spread, 50 + spread))
    assert axes.get_ylabel() == "top-1, %"


def test_one_seed_is_drawn_without_whiskers():
    _, (axes,) = drawing.panels(1, (4.0, 3.0))
    drawing.top1_bars(axes, [0], [[0.25]], width=0.3)
    (bar,) = axes.patches
    assert bar.get_height() == 25
    (segment,) = axes.collections[0].get_segments()
    assert np.ptp(segment[:, 1]) == 0


def test_bars_of_a_group_stand_around_its_place():
    places = np.array([drawing.beside(2, index, 3) for index in range(3)])
    np.testing.assert_allclose(places.mean(axis=0), [0, 1])
    assert np.diff(places, axis=0).min() > 0.25
    assert places[:, 0].max() < places[:, 1].min()
