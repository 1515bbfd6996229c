import pytest
from tf_keras import layers


def repeated(x):
    return layers.RepeatVector(3)(layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Flatten(),
        layers.Reshape((64, 8)),
        layers.Reshape((4, 16, 8)),
        layers.Reshape((8, 4, 16)),
        layers.Permute((2, 1, 3)),
        repeated,
    ],
)
def test_channels_pass_repeated_or_not(passes, layer):
    passes(layer)


@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (layers.Reshape((16, 8, 4), name="it"), "splits or mixes channels"),
        (layers.Permute((3, 1, 2), name="it"), "moves the channel axis"),
    ],
)
def test_channels_that_move_are_pinned(stays, layer, why):
    kind = type(layer).__name__
    assert stays(layer).untraced == (f"it ({kind}): {why}",)
