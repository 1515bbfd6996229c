"""One colour for each variant that pictures show."""

import matplotlib.colors

from tfmot_onexn.experiments.papers import drawing


def test_colours_are_distinct_and_valid():
    assert len(set(drawing.COLOURS.values())) == len(drawing.COLOURS)
    assert all(map(matplotlib.colors.is_color_like, drawing.COLOURS.values()))
