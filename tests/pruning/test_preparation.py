import numpy as np
import pytest
import tf_keras
from calibration import photographs, random, separable
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.pruning.preparation import Preparation
from tfmot_onexn.sparsity.masks import Pattern


def preparation(**options):
    when = schedule.OneShot(0.5)
    return Preparation(Pattern(n=8), when, policy.PrunePointwise(), **options)


def test_without_images_or_budget_only_the_order_is_settled():
    model = random(separable)
    plain = preparation().prepare(model, "none")
    assert (plain.model, plain.weights, plain.schedules) == (model, {}, {})
    moved = preparation().prepare(model, "l1")
    assert moved.model is model
    assert moved.schedules == {}
    assert model.get_layer("point_1") in moved.weights


@pytest.mark.parametrize("allocation", ["per_layer", "parameters"])
def test_images_decide_the_order_unless_saliency_is_to(allocation):
    model, x = random(separable), photographs()
    orders = {}
    for second_order in (True, False):
        calibration = Calibration(x, pixels=16, second_order=second_order)
        options = {"allocation": allocation, "calibration": calibration}
        weights = preparation(**options).rearranged_weights(model, "swaps")
        orders[second_order] = weights[model.get_layer("point_1")][0]
    plain = preparation().rearranged_weights(model, "swaps")
    plain = plain[model.get_layer("point_1")][0]
    assert (orders[True] != plain).any()
    if allocation == "per_layer":
        np.testing.assert_array_equal(orders[False], plain)


def test_all_is_settled_on_a_copy_in_the_new_order():
    model, x = random(separable), photographs()
    calibration = Calibration(x, pixels=16)
    options = {"allocation": "macs", "calibration": calibration}
    found = preparation(**options).prepare(model, "swaps")
    assert found.model is not model
    chosen = policy.chosen_layers(found.model, policy.PrunePointwise())
    assert set(found.schedules) == set(chosen)
    assert set(chosen) < set(found.weights)
    np.testing.assert_allclose(found.model(x), model(x), rtol=1e-3, atol=1e-4)


SCHEDULE = tfmot.PolynomialDecay(0.0, 0.5, 0, 100)
IMAGES = photographs(2)


class Own(tfmot.ConstantSparsity):
    """A schedule of the user's own."""


@pytest.mark.parametrize(
    ("to_prune", "when", "options", "message"),
    [
        (separable(), schedule.OneShot(0.5), {"allocation": "all"}, "allocation 'all'"),
        (
            layers.Dense(8),
            schedule.OneShot(0.5),
            {"allocation": "macs"},
            "='macs' needs",
        ),
        (
            tf_keras.Sequential([layers.Conv2D(8, 1)], name="unbuilt"),
            schedule.OneShot(0.5),
            {"calibration": IMAGES},
            r"calibration needs .* found 'unbuilt'\. Build the model",
        ),
        (separable(), SCHEDULE, {"calibration": IMAGES}, "once, PolynomialDecay step"),
        (separable(), Own(0.5, 0), {"allocation": "macs"}, "Own cannot be given"),
        (
            separable(),
            schedule.OneShot(0.5),
            {"calibration": IMAGES[0]},
            r"\[8, 8, 3\]",
        ),
        (
            prune.prune_low_magnitude_1xN(separable(), rearrange="none"),
            schedule.OneShot(0.5),
            {"calibration": IMAGES},
            r"has pruning wrappers\. Strip them first",
        ),
    ],
)
def test_what_cannot_be_settled_is_refused(to_prune, when, options, message):
    with pytest.raises(ValueError, match=message):
        prune.prune_low_magnitude_1xN(to_prune, 4, when, **options)
