import json

import pytest
import rich.console
import tf_keras
from graphs import small_network

from tfmot_onexn import inspection
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.tflite import convert

EVERYTHING = policy.PruneAll()


@pytest.fixture(scope="module")
def pruned():
    model = randomize(small_network(width=3))
    return prune.prune_low_magnitude_1xN(
        model, 8, pruning_policy=EVERYTHING, rearrange="none"
    )


def by_name(found):
    return {layer.name: layer for layer in found.layers}


def test_a_models_kernels_are_listed_with_what_pruning_did(pruned):
    found = inspection.of_model(pruned)
    layers = by_name(found)
    assert list(layers) == [
        *("stem", "expand", "depthwise", "project", "head", "classifier")
    ]
    expand = layers["expand"]
    assert expand.kernel_shape == (1, 1, 24, 72)
    assert (expand.n, expand.fill) == (8, 1.0)
    assert expand.sparsity == pytest.approx(0.5, abs=0.01)
    assert expand.macs == 16 * 24 * 72
    assert expand.nonzero_macs == pytest.approx(expand.macs / 2, rel=0.02)
    assert expand.dense_bytes == 4 * 24 * 72
    assert expand.encoded_bytes < 0.6 * expand.dense_bytes
    assert expand.note == ""
    assert layers["depthwise"].n is None
    assert layers["depthwise"].macs == 16 * 9 * 72
    assert layers["classifier"].note == (
        "N = 8 > 4 channels: one narrow block row; pinned: is an output of the model"
    )


def test_totals_are_sums_and_everything_is_json(pruned):
    found = inspection.of_model(pruned)
    assert found.totals()["macs"] == sum(layer.macs for layer in found.layers)
    again = json.loads(json.dumps(found.to_dict()))
    assert again["totals"] == found.totals()
    assert again["layers"][1]["kernel_shape"] == [1, 1, 24, 72]


def test_a_file_is_listed_as_its_model(pruned, tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned, path)
    model, file = inspection.of_model(pruned), inspection.of_file(path)
    assert file.name == "model.tflite"
    for ours, stored in zip(model.layers, file.layers, strict=True):
        assert stored.macs == ours.macs
        assert stored.nonzero_macs == pytest.approx(ours.nonzero_macs, rel=0.01)
        assert stored.n == ours.n
        assert stored.encoded_bytes == ours.encoded_bytes


def test_a_layer_that_cannot_be_followed_is_named():
    class Shuffle(tf_keras.layers.Layer):
        def call(self, inputs):
            return inputs[..., ::-1]

    image = tf_keras.Input((4, 4, 3))
    x = tf_keras.layers.Conv2D(8, 1, name="before")(image)
    x = Shuffle(name="mixer")(x)
    model = tf_keras.Model(image, tf_keras.layers.Conv2D(2, 1, name="last")(x))
    found = inspection.of_model(model)
    line = "mixer (Shuffle): no rule for this kind of layer"
    assert found.untraced == (line,)
    assert by_name(found)["before"].note == f"pinned: touches {line}"


def test_a_model_without_a_graph_is_listed_as_far_as_it_is_built():
    model = tf_keras.Sequential([tf_keras.layers.Dense(4), tf_keras.layers.Dense(2)])
    model.layers[0].build((None, 3))
    found = inspection.of_model(model)
    (only,) = found.layers
    assert (only.kernel_shape, only.macs) == ((3, 4), None)
    assert "has no graph yet" in found.untraced[0]


def test_the_table_is_printed_with_totals(pruned, tmp_path):
    console = rich.console.Console(width=150)
    with console.capture() as captured:
        found = inspection.summary(pruned, console)
    text = captured.get()
    assert "small: 6 kernels" in text
    assert "1×1×24×72" in text
    assert "total" in text
    assert f"{found.totals()['dense_bytes'] / 1e3:.1f}" in text
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned, path)
    with console.capture() as captured:
        inspection.summary(path, console)
    assert "model.tflite: 6 kernels" in captured.get()


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match=r"bad\.tflite is not a \.tflite file"):
        inspection.summary(path)
