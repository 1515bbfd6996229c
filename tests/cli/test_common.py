import argparse
import os
import subprocess
import sys

import pytest
import tf_keras

from tfmot_onexn.cli import common
from tfmot_onexn.networks import models, preprocessing


def test_settings_of_a_network_reach_it(tmp_path):
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    common.add_data(parser, common.DATA_HELP)
    common.add_network(parser)
    arguments = parser.parse_args(
        ["mobilenet", "--alpha", "0.25", "--input-size", "32", "--seed", "3"]
    )
    model, dataset = common.network(arguments, "digits")
    assert model.input_shape == (None, 32, 32, 3)
    assert model.output_shape == (None, 10)
    assert dataset.classes == 10
    norm = next(layer for layer in model.layers if hasattr(layer, "moving_mean"))
    # random weights are about to be trained for a few epochs
    assert norm.momentum == 0.9
    model, dataset = common.network(arguments)
    assert model.output_shape == (None, 1000)
    assert dataset is None


def network_of(layers, arguments, data, tmp_path):
    tf_keras.Sequential(layers).save(tmp_path / "model.keras")
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    common.add_data(parser, common.DATA_HELP)
    common.add_network(parser)
    parsed = parser.parse_args([str(tmp_path / "model.keras"), *arguments])
    return common.network(parsed, data)


def test_images_are_preprocessed_as_the_model_or_the_user_says(tmp_path):
    head = [tf_keras.layers.Flatten(), tf_keras.layers.Dense(10)]
    for layers, arguments, expected in [
        ([], [], "tf"),
        ([tf_keras.layers.Rescaling(1 / 255)], [], "none"),
        ([tf_keras.layers.Rescaling(1 / 255)], ["--preprocess", "tf"], "tf"),
        *(([], ["--preprocess", name], name) for name in preprocessing.NAMES),
    ]:
        layers = [tf_keras.layers.InputLayer((8, 8, 3)), *layers, *head]
        _, dataset = network_of(layers, arguments, "digits", tmp_path)
        assert dataset.preprocessing == expected
        assert dataset.image_shape == (8, 8, 3)


@pytest.mark.parametrize("shape", [(8, 16, 3), (8, 8, 1), (None, None, 3), (5,)])
def test_data_needs_square_colour_images(tmp_path, shape):
    layers = [tf_keras.layers.InputLayer(shape), tf_keras.layers.ReLU()]
    assert network_of(layers, [], None, tmp_path)[1] is None
    with pytest.raises(ValueError, match=r"needs one input of square colour images"):
        network_of(layers, [], "digits", tmp_path)


def test_tensorflow_loads_without_its_notes_and_with_our_layers():
    code = (
        "import absl.logging; absl.logging.set_verbosity(absl.logging.INFO)\n"
        "from tfmot_onexn.cli import common; common.load_tensorflow()\n"
        "import tf_keras\n"
        "absl.logging.info('a note from Python')\n"
        "name = 'tfmot_onexn>PruneLowMagnitude1xN'\n"
        "assert tf_keras.utils.get_registered_object(name)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stderr == ""


@pytest.mark.parametrize(("own", "found"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_unless_the_user_says_so(monkeypatch, own, found):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", own or "")
    if own is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    common.load_tensorflow()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == found


def test_notes_are_shown_if_the_import_fails(monkeypatch, capfd):
    def failing(name):
        os.write(2, b"a note from C++\n")
        raise ImportError(name)

    monkeypatch.setattr(common.importlib, "import_module", failing)
    with pytest.raises(ImportError, match="tensorflow"):
        common.load_tensorflow()
    assert capfd.readouterr().err == "a note from C++\n"


def test_progress_is_for_terminals(capsys):
    assert list(common.track([1, 2], 2, "Working")) == [1, 2]
    assert capsys.readouterr().out == ""


def test_the_help_names_every_network():
    assert all(f"{name}, " in common.MODEL_HELP for name in models.NETWORKS)
