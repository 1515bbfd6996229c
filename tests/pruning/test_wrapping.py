"""Copies with some layers wrapped: weights, masks and the original."""

import numpy as np
from training import masks_of, tiny_network, wrappers

from tfmot_onexn.pruning import prune, schedule, wrapping
from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN


def wrap_convolutions(layer, copy):
    if layer.name in ("stem", "point"):
        return PruneLowMagnitude1xN(copy, schedule.OneShot(0.5))
    return copy


def test_a_copy_has_the_weights_and_the_model_stays():
    model = tiny_network()
    before = model.get_weights()
    copy = wrapping.map_with_weights(model, wrap_convolutions)
    assert [wrapper.layer.name for wrapper in wrappers(copy)] == ["stem", "point"]
    for mask, name in zip(masks_of(copy), ("stem", "point"), strict=True):
        kernel = model.get_layer(name).kernel.numpy()
        wrapped = copy.get_layer(f"prune_low_magnitude_1xn_{name}")
        np.testing.assert_array_equal(wrapped.layer.kernel, kernel * mask)
    np.testing.assert_array_equal(
        copy.get_layer("end").kernel, model.get_layer("end").kernel
    )
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_some_layers_may_get_other_weights():
    model = tiny_network()
    end = model.get_layer("end")
    other = [weight + 1 for weight in end.get_weights()]
    copy = wrapping.map_with_weights(model, wrap_convolutions, {end: other})
    for expected, found in zip(other, copy.get_layer("end").weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_masks_of_an_earlier_pruning_are_copied():
    pruned = prune.prune_low_magnitude_1xN(tiny_network(), 4)
    copy = wrapping.map_with_weights(pruned, lambda layer, copy: copy)
    for old, new in zip(masks_of(pruned), masks_of(copy), strict=True):
        assert not old.all()
        np.testing.assert_array_equal(new, old)
