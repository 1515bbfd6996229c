"""What cannot be done is refused alike by the functions and by the command line.

A ValueError here, one line and exit code 1 there; both name what was found and what to
do, and leave no file. Messages of single modules have their tests beside the module.
"""

import os
import re

import keras
import pytest
import tf_keras
from graphs import small_network
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn import cli
from tfmot_onexn.networks import datasets, models


class Mine(tf_keras.Model):
    """A subclassed model."""

    def __init__(self):
        super().__init__(name="mine")
        self.dense = layers.Dense(4)

    def call(self, inputs):
        return self.dense(inputs)


class Three(keras.Model):
    """A subclassed Keras 3 model."""

    def call(self, inputs):
        return inputs


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Model files, whole and damaged."""
    folder = tmp_path_factory.mktemp("files")
    model = small_network()
    for name in ("whole.keras", "whole.h5"):
        model.save(folder / name)
        content = (folder / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(content[: len(content) * 2 // 3])
    (folder / "text.keras").write_text("no model")
    (folder / "text.h5").write_text("no model")
    model.save(folder / "cut-saved-model")
    index = folder / "cut-saved-model" / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:50])
    model.export(str(folder / "exported"))
    (folder / "empty").mkdir()
    bare = tf_keras.Sequential([layers.ReLU(input_shape=(4, 4, 3))], "bare")
    bare.save(folder / "bare.keras")
    mine = Mine()
    mine(keras.ops.ones((1, 3)))
    mine.save(str(folder / "mine"))
    three = Three(name="three")
    three(keras.ops.ones((1, 3)))
    three.save(folder / "three.keras")
    return folder


@pytest.fixture
def refused(capsys, files, tmp_path):
    """Runs a command that must fail in one line and leave nothing behind."""

    def run(*arguments):
        before = sorted(os.listdir(tmp_path))
        command = [str(part) for part in arguments]
        code = cli.main(cli.parse(["onexn", *command]))
        output = capsys.readouterr()
        assert code == 1
        assert output.err.startswith(f"onexn {command[0]}: ")
        assert output.err.count("\n") == 1
        assert output.out == ""
        assert sorted(os.listdir(tmp_path)) == before
        return output.err

    return run


METHODS = {
    "onexn": tfmot_onexn.prune_low_magnitude_1xN,
    "weight": tfmot_onexn.prune_weights,
    "filter": tfmot_onexn.prune_filters,
}


@pytest.mark.parametrize("n", [0, -4])
def test_n_below_one(refused, files, tmp_path, n):
    message = rf"block size N .* at least 1, found {n}"
    with pytest.raises(ValueError, match=message):
        tfmot_onexn.prune_low_magnitude_1xN(small_network(), n)
    found = refused(
        "prune", files / "whole.keras", "-o", tmp_path / "o.keras", "--n", n
    )
    assert re.search(message, found)


def test_n_above_the_width_of_a_single_layer_but_not_of_a_models(files, tmp_path):
    with pytest.raises(
        ValueError, match=r"'few' has 8 output.* fewer than N = 16.*<= 8"
    ):
        tfmot_onexn.prune_low_magnitude_1xN(layers.Dense(8, name="few"), 16)
    # in a model a narrow layer is one narrow block row, which the summary shows
    path = tmp_path / "o.keras"
    arguments = ["prune", files / "whole.keras", "-o", path, "--n", 16]
    assert cli.main(cli.parse(["onexn", *map(str, arguments)])) == 0
    kernel = models.load(path).get_layer("project").kernel.numpy()
    assert kernel.shape[-1] == 8
    rows_left = (kernel != 0).any(axis=(0, 1, 3))
    assert rows_left.sum() == kernel.shape[-2] // 2


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sparsity", [1.0, 50.0, -0.25])
def test_sparsity_outside_its_range(refused, files, tmp_path, method, sparsity):
    message = rf"lie in \[0, 1\), found {sparsity}.*0\.5 for 50 %"
    with pytest.raises(ValueError, match=message):
        METHODS[method](small_network(), pruning_schedule=tfmot_onexn.OneShot(sparsity))
    arguments = ("--method", method, f"--sparsity={sparsity}")
    path = tmp_path / "o.keras"
    found = refused("prune", files / "whole.keras", "-o", path, *arguments)
    assert re.search(message, found)


@pytest.mark.parametrize("method", METHODS)
def test_a_keras_3_model(method):
    # its files are copied when they are loaded, so the command line has no such error
    with pytest.raises(ValueError, match=r"'three' is a Keras 3 .*from_keras3"):
        METHODS[method](keras.Sequential(name="three"))
    with pytest.raises(ValueError, match=r"'three' is a Keras 3 .*from_keras3"):
        tfmot_onexn.convert_to_tflite(keras.Sequential(name="three"))


@pytest.mark.parametrize("method", METHODS)
def test_a_subclassed_model(refused, files, tmp_path, method):
    message = r"'mine' \(Mine\) is subclassed.*functional API"
    with pytest.raises(ValueError, match=message):
        METHODS[method](Mine())
    with pytest.raises(ValueError, match=message):
        tfmot_onexn.convert_to_tflite(Mine())
    path = tmp_path / "o.keras"
    found = refused("prune", files / "mine", "-o", path, "--method", method)
    assert re.search(
        r"'mine' .*(is subclassed|cannot be followed).*functional API", found
    )
    found = refused("convert", files / "mine", "-o", tmp_path / "o.tflite")
    assert re.search(message, found)
    found = refused("convert", files / "three.keras", "-o", tmp_path / "o.tflite")
    assert "Cannot load" in found


@pytest.mark.parametrize("method", METHODS)
def test_no_layer_to_prune(refused, files, tmp_path, method):
    message = r"to prune in 'bare'.*the model has (InputLayer, )?ReLU.*PruneAll\(\)"
    with pytest.raises(ValueError, match=message):
        METHODS[method](models.load(files / "bare.keras"))
    path = tmp_path / "o.keras"
    found = refused("prune", files / "bare.keras", "-o", path, "--method", method)
    assert re.search(message, found)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.keras", r"No model at .*none\.keras"),
        ("cut-whole.keras", r"Cannot load .*cut-whole\.keras as a Keras model: "),
        ("cut-whole.h5", r"Cannot load .*cut-whole\.h5 as a Keras model: "),
        ("text.keras", r"Cannot load .*text\.keras as a Keras model: "),
        ("text.h5", r"Cannot load .*text\.h5 as a Keras model: "),
        ("cut-saved-model", r"Cannot load .*cut-saved-model as a Keras model: "),
        ("empty", r"empty is neither a \.keras, a \.h5 nor a SavedModel\. Save"),
        ("exported", r"exported is a SavedModel for inference only.* model\.save"),
    ],
)
def test_a_damaged_model_file(refused, files, tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        models.load(files / name)
    found = refused("prune", files / name, "-o", tmp_path / "o.keras")
    assert re.search(message, found)
    found = refused("convert", files / name, "-o", tmp_path / "o.tflite")
    assert re.search(message, found)


def test_a_data_folder_without_images(refused, files, tmp_path):
    (tmp_path / "data" / "cats").mkdir(parents=True)
    with pytest.raises(ValueError, match="No images in"):
        datasets.load(str(tmp_path / "data"), 8)
    arguments = ("-o", tmp_path / "o.keras", "--data", tmp_path / "data")
    assert "No images in" in refused("prune", files / "whole.keras", *arguments)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("missing/o", r"Cannot write .*No such file or directory.*that exists"),
        ("a-file/o", r"Cannot write .*Not a directory"),
        ("a-folder/o", r"Cannot write .*it is a folder\. Name a file in it"),
    ],
)
def test_an_output_that_cannot_be_written(refused, files, tmp_path, place, message):
    (tmp_path / "a-file").write_text("kept")
    (tmp_path / "a-folder" / "o.keras").mkdir(parents=True)
    (tmp_path / "a-folder" / "o.tflite").mkdir()
    with pytest.raises(ValueError, match=message):
        tfmot_onexn.convert_to_tflite(small_network(), tmp_path / f"{place}.tflite")
    found = refused(
        "convert", files / "whole.keras", "-o", tmp_path / f"{place}.tflite"
    )
    assert re.search(message, found)
    found = refused("prune", files / "whole.keras", "-o", tmp_path / f"{place}.keras")
    assert re.search(message, found)
    assert (tmp_path / "a-file").read_text() == "kept"
