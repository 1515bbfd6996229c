import numpy as np
import pytest
import tf_keras
from calibration import distance, photographs, random, separable
from graphs import images, relative_error, small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import schedule
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.pruning.variants import VARIANTS, Soft, Variant


@pytest.fixture(scope="module")
def model():
    return randomize(small_network(width=2))


def pointwise_zeros(model):
    kernels = [
        layer.kernel.numpy()
        for layer in model.layers
        if type(layer) is tf_keras.layers.Conv2D and layer.kernel_size == (1, 1)
    ]
    return [float((kernel == 0).mean()) for kernel in kernels]


@pytest.mark.parametrize("method", VARIANTS)
def test_each_variant_ships_what_it_trained(model, method):
    variant = Variant(method, 0.5, n=8)
    prepared = variant.prepare(model)
    pruned = variant.prune(prepared)
    final = variant.finish(pruned)
    x = images(model)
    assert relative_error(prepared(x), model(x)) <= 1e-5
    assert relative_error(final(x), pruned(x)) <= 1e-5
    if method == "dense":
        assert relative_error(final(x), model(x)) == 0
    else:
        assert relative_error(final(x), model(x)) > 0.1
    if method in ("weight", "onexn", "subp"):
        np.testing.assert_allclose(pointwise_zeros(final), 0.5, atol=0.02)
    if method == "filter":
        assert final.get_layer("expand").filters == 24


def test_rearrangement_and_classifier_are_choices(model):
    kept = Variant("onexn", rearrange="none")
    assert kept.prepare(model) is model
    with_classifier = Variant("onexn", prune_classifier=True, rearrange="none")
    final = with_classifier.finish(with_classifier.prune(model))
    assert (final.get_layer("classifier").kernel.numpy() == 0).mean() == 0.5
    uniform = Variant("onexn", n=8, uniform=True)
    final = uniform.finish(uniform.prune(uniform.prepare(model)))
    kernel = final.get_layer("expand").kernel.numpy()[0, 0]
    assert set((kernel != 0).sum(axis=0)) == {8}


def test_rows_tell_what_matters_to_the_variant():
    assert Variant("dense", 0.5).row()["sparsity"] == 0.0
    assert Variant("weight", 0.5, n=8).row()["n"] is None
    row = Variant("onexn", 0.75, n=8, rearrange="l1").row()
    assert (row["n"], row["sparsity"], row["rearrange"]) == (8, 0.75, "l1")


def test_subp_is_uniform_and_pruned_on_a_ramp(model):
    soft = Soft(0.1, 0.5, 2, "linear", "l1", 0.5, 0.1, 1e-3, 7)
    variant = Variant("subp", 0.75, n=8, soft=soft)
    row = variant.row()
    assert (row["n"], row["uniform"], row["rearrange"]) == (8, True, None)
    ramp = variant.schedule(epochs=20, steps_per_epoch=5)
    expected = schedule.SoftUniformRamp(0.75, 1 + 10, 1 + 50, 10, "linear")
    assert ramp.get_config() == expected.get_config()
    wrapper = variant.prune(model, ramp).get_layer("prune_soft_uniform_1xn_expand")
    config = wrapper.get_config()
    assert config["pruning_schedule"] == ramp.get_config()
    found = [config[name] for name in ("n", "criterion", "alpha", "seed")]
    assert found == [8, "l1", 0.5, 7]
    assert (config["temperature"], config["decay"]) == (0.1, 1e-3)
    final = variant.finish(variant.prune(model))
    kernel = final.get_layer("expand").kernel.numpy()[0, 0]
    assert set((kernel != 0).sum(axis=0)) == {4}


@pytest.mark.parametrize("method", ["dense", "weight", "filter", "onexn"])
def test_other_variants_are_pruned_at_once(method):
    when = Variant(method, 0.75).schedule(epochs=20, steps_per_epoch=5)
    assert when.get_config() == schedule.OneShot(0.75).get_config()


def test_an_unknown_variant_is_refused():
    with pytest.raises(ValueError, match=r"variant 'block'; choose from \['dense'"):
        Variant("block")


@pytest.mark.parametrize("method", VARIANTS)
def test_a_wrapped_model_is_refused(model, method):
    wrapped = Variant("onexn", rearrange="none").prune(model)
    with pytest.raises(ValueError, match=r"has pruning wrappers\. Strip them first"):
        Variant(method).prepare(wrapped)


def test_a_budget_and_images_are_choices():
    model = random(separable)
    variant = Variant("onexn", 0.5, allocation="parameters")
    assert variant.row()["allocation"] == "parameters"
    assert Variant("weight", allocation="macs").row()["allocation"] == "per_layer"
    calibration = Calibration(photographs(), pixels=16)
    prepared = variant.prepare(model, calibration)
    final = variant.finish(variant.prune(prepared, calibration=calibration))
    kernels = [final.get_layer(f"point_{i}").kernel.numpy() for i in range(3)]
    zeros = [float((kernel == 0).mean()) for kernel in kernels]
    assert max(zeros) - min(zeros) > 0.02
    spent = sum((kernel == 0).sum() for kernel in kernels)
    assert spent == pytest.approx(0.5 * sum(k.size for k in kernels), rel=0.04)
    masked = variant.finish(variant.prune(variant.prepare(model)))
    images = photographs()
    assert distance(final, model, images) < distance(masked, model, images)
    with pytest.raises(ValueError, match="allocation 'all'"):
        Variant("onexn", allocation="all")
