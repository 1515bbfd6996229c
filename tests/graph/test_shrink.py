import numpy as np
import pytest
import tf_keras
from graphs import branches, images, relative_error, silence

from tfmot_onexn.graph import shrink
from tfmot_onexn.networks.random_weights import randomize


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["branches", "MobileNet", "MobileNetV3Small"])
def test_shrinking_keeps_the_outputs_of_the_masked_model(name):
    if name == "branches":
        model = randomize(branches())
    else:
        model = randomize(
            getattr(tf_keras.applications, name)(
                (32, 32, 3), weights=None, classifier_activation=None
            )
        )
    x = images(model)
    dense = model(x).numpy()
    assert silence(model) > 0
    small = shrink.shrink_filters(model)
    assert small.count_params() < 0.8 * model.count_params()
    assert relative_error(small(x), model(x)) <= 1e-11
    assert relative_error(small(x), dense) > 0.1


def test_a_channel_with_a_bias_left_is_kept():
    model = randomize(branches())
    silence(model)
    hidden = model.get_layer("hidden")
    kernel, bias = hidden.get_weights()
    assert (bias[:5] == 0).all()
    bias[:5] = 1
    hidden.set_weights([kernel, bias])
    x = images(model)
    small = shrink.shrink_filters(model)
    assert small.get_layer("hidden").units == 10
    assert relative_error(small(x), model(x)) <= 1e-5


def test_a_group_that_is_all_zero_keeps_one_channel():
    model = randomize(branches())
    silence(model, share=1.0)
    small = shrink.shrink_filters(model)
    assert small.get_layer("left").filters == 1
    x = images(model)
    np.testing.assert_allclose(small(x), model(x), rtol=1e-5)
