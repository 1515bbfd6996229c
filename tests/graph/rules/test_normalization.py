import numpy as np
import pytest
from tf_keras import layers


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(),
        layers.BatchNormalization(scale=False),
        layers.BatchNormalization(center=False),
        layers.BatchNormalization(synchronized=True),
    ],
)
def test_batch_normalization_passes_any_order_on(passes, layer):
    passes(layer)


@pytest.mark.parametrize(
    "layer",
    [
        layers.LayerNormalization(),
        layers.LayerNormalization(scale=False, axis=3),
        layers.UnitNormalization(),
        layers.GroupNormalization(groups=8),
        layers.GroupNormalization(groups=-1, center=False),
    ],
)
def test_shared_statistics_keep_every_channel(moves_only, layer):
    assert moves_only(layer).size == 8


def test_group_normalization_keeps_its_groups(verdict_on):
    verdict_on(layers.GroupNormalization(groups=2))


@pytest.mark.parametrize(
    "layer",
    [
        layers.BatchNormalization(axis=1, name="rows"),
        layers.LayerNormalization(axis=[1, 2, 3], name="rows"),
        layers.UnitNormalization(axis=1, name="rows"),
        layers.GroupNormalization(groups=2, axis=1, name="rows"),
    ],
)
def test_other_axes_are_not_followed(stays, layer):
    kind = type(layer).__name__
    assert stays(layer).untraced == (f"rows ({kind}): normalizes another axis",)


def test_given_statistics_stay_in_place(stays):
    layer = layers.Normalization(
        mean=np.arange(8.0), variance=np.arange(1.0, 9.0), name="scaled"
    )
    found = stays(layer)
    assert found.pinned == ("scaled has statistics for each channel",)
    assert found.untraced == ()
