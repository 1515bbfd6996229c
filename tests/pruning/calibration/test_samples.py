import numpy as np
import pytest
import tf_keras
from calibration import inverted, photographs, random
from tf_keras import layers

from tfmot_onexn.graph import calls
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning.calibration import folding, samples, units
from tfmot_onexn.pruning.calibration.streams import Streams


def look(model, name, pixels, x, twin=None):
    """Samples a layer; ``twin`` has weights that another layer takes before it."""
    found = calls.of_model(model)
    (unit,) = [u for u in units.find(found, set()) if u.layer.name == name]
    streams = Streams(found, x, 5)
    if twin is not None:
        streams.replace(model.get_layer(twin.name), twin)
    take = samples.taps if unit.depthwise else samples.rows
    return take(unit, folding.fold(unit.layer, unit.norm), streams, pixels, (0,))


def single(layer):
    image = layers.Input((7, 6, 3))
    return randomize(tf_keras.Model(image, layer(image)))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2D(4, 1, name="point"),
        layers.Conv2D(4, 1, strides=2, name="point"),
        layers.Conv2D(4, 1, strides=(1, 3), padding="same", name="point"),
        layers.Dense(4, name="point"),
    ],
)
def test_rows_are_the_places_of_a_layer_and_what_it_makes_there(layer, rng):
    model = single(layer)
    x = rng.normal(size=(7, 7, 6, 3)).astype(np.float32)
    made = model(x).numpy()
    found = look(model, "point", 100, x)
    assert not found.differ
    assert len(found.inputs_sk) == made.size / 4
    np.testing.assert_allclose(found.targets_sm, made.reshape(-1, 4), atol=1e-5)
    some = look(model, "point", 2, x)
    assert some.inputs_sk.shape == (14, 3)
    everything = {tuple(row) for row in found.inputs_sk}
    assert {tuple(row) for row in some.inputs_sk} <= everything


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "same"},
        {"padding": "valid"},
        {"padding": "same", "strides": 2},
        {"padding": "same", "dilation_rate": 2},
        {"kernel_size": (2, 5), "padding": "same"},
    ],
)
def test_taps_are_windows_and_what_the_layer_makes_of_them(options, rng):
    layer = layers.DepthwiseConv2D(**{"kernel_size": 3, **options}, name="depthwise")
    model = single(layer)
    x = rng.normal(size=(5, 7, 6, 3)).astype(np.float32)
    found = look(model, "depthwise", 40, x)
    assert found.targets_cs.shape == (3, 5 * 40)
    assert not found.differ
    weights = np.vstack([folding.kernel_of(layer), layer.bias.numpy()]).T
    by_hand = np.einsum("cst,ct->cs", found.windows_cst, weights)
    np.testing.assert_allclose(by_hand, found.targets_cs, atol=1e-5)
    made = np.round(model(x).numpy().reshape(-1, 3), 3)
    for channel in range(3):
        looked_at = np.round(found.targets_cs[channel], 3)
        assert np.isin(looked_at, made[:, channel]).mean() > 0.98


def test_targets_have_what_the_shortcut_lacks():
    model, x = random(inverted), photographs(10)
    twin = layers.Conv2D.from_config(model.get_layer("project_0").get_config())
    twin.build((None, 8, 8, 24))
    twin.set_weights([0 * w for w in model.get_layer("project_0").get_weights()])
    found = look(model, "project_1", 64, x, twin)
    other = tf_keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    other.get_layer("project_0").set_weights(twin.get_weights())

    def output(m, name):
        return tf_keras.Model(m.input, m.get_layer(name).output)(x).numpy()

    lacking = output(model, "add_0") - output(other, "add_0")
    expected = output(model, "project_1_norm") + lacking
    assert found.differ
    np.testing.assert_allclose(found.targets_sm, expected.reshape(-1, 8), atol=1e-4)
