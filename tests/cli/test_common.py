import argparse
import os
import subprocess
import sys

import pytest

from tfmot_onexn.cli import common


def test_settings_of_a_network_reach_it(tmp_path):
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
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


def test_tensorflow_loads_without_its_notes():
    code = "from tfmot_onexn.cli import common; common.load_tensorflow()"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stderr == ""


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
