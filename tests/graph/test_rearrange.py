import numpy as np
import pytest
import tf_keras
from graphs import branches, images, relative_error

from tfmot_onexn.graph import orders, tracing
from tfmot_onexn.graph import rearrange as rearrange_lib
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.sparsity import masks, permutation


def kept_share(model, n, sparsity, **kwargs):
    return [
        permutation.kept_saliency(kernels, n, sparsity, **kwargs)
        for group in tracing.trace(model).groups
        if (kernels := orders.producing_kernels(group, rearrange_lib.pointwise))
    ]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("method", permutation.METHODS)
def test_rearranged_mobilenet_keeps_its_function_and_more_saliency(method):
    model = randomize(
        tf_keras.applications.MobileNetV2(
            (32, 32, 3), 0.35, weights=None, classifier_activation=None
        )
    )
    moved = rearrange_lib.rearrange(model, 8, 0.5, method, seconds=2.0)
    x = images(model)
    assert relative_error(moved(x), model(x)) <= 1e-11
    before, after = kept_share(model, 8, 0.5), kept_share(moved, 8, 0.5)
    assert all(b >= a - 1e-6 for a, b in zip(before, after, strict=True))
    assert sum(after) > sum(before)


def test_what_each_layer_keeps_is_what_its_mask_keeps():
    model = randomize(branches())
    found = rearrange_lib.kept_by_layer(model, 3, 0.6, uniform=True, saliency="l2")
    pointwise = [layer for layer in model.layers if rearrange_lib.pointwise(layer)]
    assert list(found) == [layer.name for layer in pointwise]
    for layer in pointwise:
        kernel = layer.get_weights()[0]
        mask = masks.block_mask(kernel, 3, 0.6, uniform=True, saliency="l2")
        kept = np.square(kernel * mask).sum()
        assert found[layer.name].kept == pytest.approx(kept, 1e-4)
        assert found[layer.name].share == pytest.approx(
            kept / np.square(kernel).sum(), 1e-4
        )


def test_a_layer_without_weights_other_than_zero_keeps_all_of_nothing():
    model = branches()
    layer = model.get_layer("left")
    layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])
    assert rearrange_lib.kept_by_layer(model)["left"].share == 1.0


def test_uniform_and_custom_choices_of_layers():
    model = randomize(branches())
    only = "into_residual"
    moved = rearrange_lib.rearrange(
        model, 4, 0.5, prunable=lambda layer: layer.name == only, uniform=True
    )
    x = images(model)
    assert relative_error(moved(x), model(x)) <= 1e-5
    for layer, twin in zip(model.layers, moved.layers, strict=True):
        if layer.name in ("stem", "left", "right"):
            np.testing.assert_array_equal(layer.get_weights()[0], twin.get_weights()[0])
    changed = (
        model.get_layer(only).get_weights()[0] != moved.get_layer(only).get_weights()[0]
    )
    assert changed.any()


def test_a_progress_bar_is_shown_on_a_terminal_only(monkeypatch, capsys):
    rearrange_lib.rearrange(branches())
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    rearrange_lib.rearrange(branches())
    assert "Rearranging filters" in capsys.readouterr().err


def test_bad_arguments_are_refused_before_any_work():
    model = branches()
    with pytest.raises(ValueError, match="at least 1"):
        rearrange_lib.rearrange(model, 0)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        rearrange_lib.rearrange(model, 4, 1.5)
    with pytest.raises(ValueError, match="method 'sort'"):
        rearrange_lib.rearrange(model, 4, 0.5, "sort")
