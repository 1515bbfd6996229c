import dataclasses

import calibration as networks
import numpy as np
import pytest
import tf_keras
from calibration import distance, inverted, photographs, random, separable, squeezed
from graphs import compiled
from tf_keras import layers
from training import masks_of, wrappers

from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.calibration import calibrate
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.sparsity import masks

NETWORKS = [separable, inverted, squeezed]
# the last feature maps
LAST = {separable: "point_2_norm", inverted: "add_1", squeezed: "add_1"}


def pruned(model, sparsity=0.5, *, n=4, policy=policy.PrunePointwise(), **options):
    """Prunes with calibration, filters in the order they have."""
    options.setdefault("images", photographs())
    settings = Calibration(**{"pixels": 64, **options})
    return prune.prune_low_magnitude_1xN(
        model,
        n,
        schedule.OneShot(sparsity),
        policy,
        rearrange="none",
        calibration=settings,
    )


@pytest.mark.parametrize("make", NETWORKS)
def test_nothing_changes_where_nothing_is_pruned(make):
    model = random(make)
    found = prune.strip_pruning(pruned(model, 0.0))
    for one, other in zip(model.weights, found.weights, strict=True):
        np.testing.assert_array_equal(other, one, err_msg=one.name)


@pytest.mark.parametrize("make", NETWORKS)
def test_what_is_solved_comes_nearer_to_the_dense_network(make):
    model = random(make)
    before = [weight.numpy() for weight in model.weights]
    errors = {}
    for resolve in ("none", "batch_norm", "pruned", "all"):
        found = prune.strip_pruning(pruned(model, resolve=resolve))
        errors[resolve] = [
            distance(found, model, photographs(seed=seed), LAST[make])
            for seed in (0, 1)
        ]
    for on in (0, 1):  # the images it has seen, and others
        assert errors["pruned"][on] < 0.8 * errors["none"][on]
        assert errors["all"][on] < 0.8 * errors["batch_norm"][on]
    for one, other in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("make", NETWORKS)
@pytest.mark.parametrize("resolve", ["all", "none"])
def test_zeros_are_where_the_masks_say_and_as_many_as_asked_for(make, resolve):
    found = pruned(random(make), 0.6, resolve=resolve)
    assert len(wrappers(found)) >= 3
    for wrapper, mask in zip(wrappers(found), masks_of(found), strict=True):
        np.testing.assert_array_equal(wrapper.layer.kernel.numpy() != 0, mask)
        of_blocks = mask[0, 0, :, ::4]
        np.testing.assert_array_equal(np.repeat(of_blocks, 4, axis=1), mask[0, 0])
        assert of_blocks.sum() == masks.kept_count(of_blocks.size, 0.6)


def test_saliency_chooses_the_blocks_when_asked_to():
    model = random(separable)
    found = pruned(model, second_order=False, resolve="none")
    plain = prune.prune_low_magnitude_1xN(model, rearrange="none")
    for one, other in zip(plain.weights, found.weights, strict=True):
        np.testing.assert_array_equal(other, one, err_msg=one.name)
    other = pruned(model, resolve="none")
    assert any(
        (one != two).any()
        for one, two in zip(masks_of(plain), masks_of(other), strict=True)
    )


def lost(model, **options):
    """Returns the summed error of the layers that are pruned."""
    reports = []
    calibration = Calibration(photographs(), pixels=64, on_layer=reports.append)
    calibration = dataclasses.replace(calibration, **options.pop("settings", {}))
    prune.prune_low_magnitude_1xN(model, calibration=calibration, **options)
    return sum(report.error for report in reports if report.sparsity)


def test_blocks_chosen_by_what_outputs_lose_cost_less():
    model = random(separable)
    by_norm, by_output = (
        lost(model, rearrange="none", settings={"second_order": way})
        for way in (False, True)
    )
    assert by_output < 0.95 * by_norm


def test_filters_are_rearranged_by_what_outputs_lose():
    model = random(separable)
    plain, moved = (lost(model, n=8, rearrange=way) for way in ("none", "swaps"))
    assert moved < 0.98 * plain


def test_a_projection_makes_up_for_what_its_shortcut_has_lost(monkeypatch):
    model, x = random(inverted), photographs()
    errors = []
    for correct in (True, False):
        if not correct:
            monkeypatch.setattr(
                calibrate.units, "_shortcut", lambda calls, call, index: None
            )
        found = prune.strip_pruning(pruned(model, 0.7))
        errors.append(distance(found, model, x, "add_1"))
    assert errors[0] < 0.98 * errors[1]


@pytest.mark.parametrize("resolve", ["all", "batch_norm"])
@pytest.mark.parametrize("make", NETWORKS)
def test_statistics_are_those_of_the_batch(make, resolve):
    x = photographs()
    found = prune.strip_pruning(
        pruned(random(make), resolve=resolve, images=x, pixels=256)
    )
    changed = ("point_0_norm", "point_2_norm", "expand_1_norm", "project_1_norm")
    names = [name for name in changed if name in {la.name for la in found.layers}]
    assert len(names) == 2
    for name in names:
        norm = found.get_layer(name)
        read = tf_keras.Model(found.input, norm.input)(x).numpy()
        mean, variance = read.mean(axis=(0, 1, 2)), read.var(axis=(0, 1, 2))
        np.testing.assert_allclose(norm.moving_mean, mean, atol=1e-3)
        np.testing.assert_allclose(norm.moving_variance, variance, rtol=2e-3, atol=1e-6)


def test_matched_statistics_give_outputs_the_dense_mean_and_deviation():
    model, x = random(separable), photographs()
    found = prune.strip_pruning(
        pruned(model, resolve="batch_norm", images=x, pixels=256)
    )
    # every place of one is looked at, some of the other
    for name, tolerance in (("point_1_norm", 1e-3), ("depthwise_2_norm", 0.1)):
        made = [
            tf_keras.Model(m.input, m.get_layer(name).output)(x).numpy()
            for m in (found, model)
        ]
        for moment in (np.mean, np.std):
            actual, expected = (moment(values, axis=(0, 1, 2)) for values in made)
            np.testing.assert_allclose(actual, expected, atol=tolerance)


def test_uniform_rows_keep_as_many_blocks():
    found = prune.prune_low_magnitude_1xN(
        random(separable), 8, uniform=True, calibration=photographs()
    )
    for mask in masks_of(found):
        assert set(mask[0, 0].sum(axis=0)) == {masks.kept_count(mask.shape[2], 0.5)}


def test_the_classifier_is_pruned_when_the_policy_says_so():
    found = pruned(random(separable), policy=policy.PrunePointwise(classifier=True))
    kernel = found.layers[-1].layer.kernel.numpy()
    assert kernel.shape == (24, 4)
    assert (kernel == 0).mean() == 0.5


@pytest.mark.parametrize("allocation", ["parameters", "macs"])
def test_a_budget_is_for_all_layers(allocation):
    model, x = random(separable), photographs()
    found = prune.prune_low_magnitude_1xN(
        *(model, 4, schedule.OneShot(0.6)),
        rearrange="none",
        allocation=allocation,
        calibration=Calibration(x, pixels=64),
    )
    shares = [1 - mask.mean() for mask in masks_of(found)]
    sizes = [mask.size for mask in masks_of(found)]
    if allocation == "macs":
        sizes = [
            size * pixels for size, pixels in zip(sizes, (64, 16, 16), strict=True)
        ]
    spent = np.dot(shares, sizes) / sum(sizes)
    assert spent == pytest.approx(0.6, abs=0.02)
    assert max(shares) - min(shares) > 0.02


def test_reports_tell_of_each_layer_in_turn():
    reports = []
    pruned(random(separable), on_layer=reports.append)
    names = [report.name for report in reports]
    assert names[:3] == ["point_0", "depthwise_1", "point_1"]
    assert names[-1] == "classifier"
    shares = {report.name: report.sparsity for report in reports}
    assert shares["point_1"] == pytest.approx(0.5)
    assert shares["classifier"] == shares["depthwise_1"] == 0
    assert all(0 < report.error < 1 for report in reports)


def test_a_seed_gives_the_same_weights_and_another_others():
    model = random(separable)
    one, same, other = (
        pruned(model, images=photographs(96), count=32, pixels=9, seed=seed)
        for seed in (0, 0, 1)
    )
    for first, second in zip(one.weights, same.weights, strict=True):
        np.testing.assert_array_equal(first, second)
    kernels = [wrappers(m)[0].layer.kernel.numpy() for m in (one, other)]
    assert (kernels[0] != kernels[1]).any()


def test_batches_of_any_size_give_the_same_weights():
    model = random(inverted)
    one, other = (
        pruned(model, resolve="pruned", batch_size=size, relu_steps=1)
        for size in (48, 7)
    )
    for first, second in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-3, err_msg=first.name)


def test_the_model_can_be_saved_and_trained_on(tmp_path):
    x = photographs()
    found = compiled(pruned(random(separable), images=x))
    found.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(x), found(x), atol=1e-6)
    stood = masks_of(again)
    for one, other in zip(masks_of(found), stood, strict=True):
        np.testing.assert_array_equal(other, one)
    labels = np.arange(len(x)) % 4
    again.fit(x, labels, epochs=1, verbose=0, callbacks=[UpdatePruningStep()])
    for one, other in zip(stood, masks_of(again), strict=True):
        np.testing.assert_array_equal(other, one)


def test_layers_of_a_model_inside_the_model_are_solved_for():
    inside = tf_keras.Sequential(
        [
            layers.Conv2D(16, 1, use_bias=False, name="inner", input_shape=(8, 8, 8)),
            layers.BatchNormalization(name="inner_norm"),
            layers.ReLU(),
        ],
        name="inside",
    )
    image = layers.Input((8, 8, 3))
    x = inside(layers.Conv2D(8, 3, padding="same", name="stem")(image))
    x = layers.GlobalAveragePooling2D()(x)
    model = networks.randomize(tf_keras.Model(image, layers.Dense(4)(x)))
    x = photographs()
    found = pruned(model)
    assert masks_of(found)[0].mean() == 0.5
    masked = prune.strip_pruning(pruned(model, resolve="none"))
    assert distance(found, model, x) < 0.5 * distance(masked, model, x)


def test_a_layer_that_cannot_be_solved_for_is_named():
    model = random(inverted)
    with pytest.raises(
        ValueError, match=r"'stem' \(Conv2D\) cannot be calibrated: its"
    ):
        pruned(model, policy=policy.PruneAll())
    image = layers.Input((8, 8, 3))
    twice = layers.Conv2D(3, 1, name="twice")
    shared = tf_keras.Model(image, layers.Conv2D(4, 1)(twice(twice(image))))
    with pytest.raises(
        ValueError, match=r"'twice' .*called more than once\. Prune 1x1"
    ):
        pruned(shared, policy=policy.PruneAll())
