import numpy as np
import pytest
import tf_keras
from calibration import random, separable
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers
from training import masks_of, wrappers

from tfmot_onexn.pruning import allocation, policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity.masks import Pattern

PIXELS = {"point_0": 64, "point_1": 16, "point_2": 16}


@pytest.fixture(scope="module")
def model():
    """Layers that differ in how much of their saliency few blocks hold."""
    model = random(separable)
    rng = np.random.default_rng(1)
    for index, spread in enumerate((0.1, 1.0, 2.0)):
        kernel = model.get_layer(f"point_{index}").kernel
        factors = np.exp(spread * rng.normal(size=(kernel.shape[2], kernel.shape[3])))
        kernel.assign(kernel * factors)
    return model


def chosen(model):
    return policy.chosen_layers(model, policy.PrunePointwise())


@pytest.mark.parametrize("method", ["parameters", "macs"])
@pytest.mark.parametrize("sparsity", [0.3, 0.5, 0.8])
def test_the_budget_is_met_within_a_block_of_each_layer(model, method, sparsity):
    pruned = prune.prune_low_magnitude_1xN(
        model,
        4,
        schedule.OneShot(sparsity),
        rearrange="none",
        allocation=method,
    )
    freed = total = slack = 0
    for wrapper, mask in zip(wrappers(pruned), masks_of(pruned), strict=True):
        times = PIXELS[wrapper.layer.name] if method == "macs" else 1
        freed += times * (~mask).sum()
        total += times * mask.size
        slack = max(slack, 4 * times)
    assert abs(freed - sparsity * total) <= slack
    shares = [1 - mask.mean() for mask in masks_of(pruned)]
    assert max(shares) <= allocation.HIGHEST
    if method == "parameters":
        assert shares[0] < shares[2]


def test_the_same_share_of_each_is_the_default(model):
    layers_ = chosen(model)
    found = allocation.sparsities(model, layers_, Pattern(), 0.4, "per_layer")
    assert found == dict.fromkeys(layers_, 0.4)
    assert set(
        allocation.sparsities(model, layers_, Pattern(), 0, "macs").values()
    ) == {0}


def test_errors_of_ones_own_decide(model):
    layers_ = chosen(model)
    errors = {layer: np.linspace(0, 1, 32) for layer in layers_}
    errors[layers_[1]] = np.full(32, 1e-9)
    found = allocation.sparsities(model, layers_, Pattern(), 0.3, "parameters", errors)
    assert found[layers_[1]] == pytest.approx(allocation.HIGHEST, abs=2 / 32)
    assert found[layers_[0]] < 0.3


@pytest.mark.parametrize(
    "make",
    [
        lambda p: tfmot.ConstantSparsity(p, 0, frequency=1),
        lambda p: tfmot.PolynomialDecay(0.1, p, 0, 4, frequency=1),
    ],
)
def test_schedules_end_with_the_sparsity_of_each_layer(model, make):
    pruned = prune.prune_low_magnitude_1xN(
        model, 4, make(0.5), rearrange="none", allocation="parameters"
    )
    at_once = prune.prune_low_magnitude_1xN(
        model, 4, schedule.OneShot(0.5), rearrange="none", allocation="parameters"
    )
    pruned.compile("sgd", "mse")
    pruned.optimizer.learning_rate = 0.0
    x, y = np.zeros((8, 8, 8, 3), np.float32), np.zeros((8, 4), np.float32)
    pruned.fit(x, y, 1, callbacks=[UpdatePruningStep()], verbose=0)
    for one, other in zip(masks_of(pruned), masks_of(at_once), strict=True):
        assert abs(int(one.sum()) - int(other.sum())) <= 4


def test_it_survives_saving(model, tmp_path):
    pruned = prune.prune_low_magnitude_1xN(model, allocation="macs")
    pruned.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(masks_of(pruned), masks_of(again), strict=True):
        np.testing.assert_array_equal(other, one)


def test_unknown_macs_are_refused():
    image = layers.Input((None, None, 3))
    open_size = tf_keras.Model(image, layers.Conv2D(8, 1, name="point")(image))
    arguments = (policy.PruneAll(), "none")
    with pytest.raises(ValueError, match=r"of layer 'point' are not known.*fixed size"):
        prune.prune_low_magnitude_1xN(
            open_size, 4, schedule.OneShot(0.5), *arguments, allocation="macs"
        )
