import os
import signal
import subprocess
import sys
import time

import clusters
import numpy as np
import pytest
import tf_keras
from graphs import small_network
from PIL import Image

from tfmot_onexn import cli
from tfmot_onexn.networks import augmentation


def zeros(path, name):
    layer = tf_keras.models.load_model(path, compile=False).get_layer(name)
    return float((layer.kernel.numpy() == 0).mean())


def test_a_model_is_pruned_without_data(onexn, model_file, tmp_path):
    path = tmp_path / "out.keras"
    code, output, _ = onexn(
        *("prune", model_file, "-o", path, "--n", 8, "--sparsity", 0.75)
    )
    assert code == 0
    assert output == f"Saved {path}; look at it with `onexn summary`.\n"
    assert zeros(path, "expand") == pytest.approx(0.75, abs=0.01)
    assert zeros(path, "classifier") == 0
    onexn("prune", model_file, "-o", path, "--method", "weight", "--prune-classifier")
    assert zeros(path, "classifier") == pytest.approx(0.5, abs=0.01)
    onexn("prune", model_file, "-o", path, "--method", "filter")
    model = tf_keras.models.load_model(path, compile=False)
    assert model.get_layer("expand").filters == 36
    assert os.listdir(tmp_path) == ["out.keras"]


def test_arguments_that_make_no_sense_are_refused(onexn, model_file, tmp_path):
    path = tmp_path / "out.keras"
    (tmp_path / "images").mkdir()
    for arguments, message in [
        (("-o", path, "--n", 0), "at least 1, found 0"),
        (("-o", path, "--sparsity", 50), "lie in [0, 1), found 50.0"),
        (("-o", path, "--data", tmp_path / "images"), "No images in"),
        (("-o", path, "--data", "digits"), "tells 4 classes apart"),
        (("-o", tmp_path / "out.h5"), "must end in .keras"),
        (("-o", path, "--method", "subp"), "trains from scratch: give --data"),
        (("-o", tmp_path / "none" / "out.keras"), "No such file or directory"),
    ]:
        code, _, errors = onexn("prune", model_file, *arguments)
        assert code == 1
        assert message in errors
        assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == ["images"]


@pytest.fixture
def images(tmp_path, rng):
    folder = tmp_path / "images"
    for label in "abcd":
        (folder / label).mkdir(parents=True)
        for index in range(10):
            pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{index}.png")
    return folder


def test_a_model_is_fine_tuned_on_an_image_folder(onexn, model_file, images, tmp_path):
    path = tmp_path / "out.keras"
    common = ("prune", model_file, "-o", path, "--data", images, "--epochs", 1)
    for more in ((), ("--augment", "none"), ("--preprocess", "caffe")):
        code, output, _ = onexn(*common, *more)
        assert code == 0
        assert "top-1 on 8 test images: " in output
        assert sorted(os.listdir(tmp_path)) == ["images", "out.keras"]


def test_subp_trains_and_prunes_on_a_ramp(onexn, model_file, images, tmp_path):
    path = tmp_path / "out.keras"
    command = ("prune", model_file, "-o", path, "--data", images, "--method", "subp")
    code, output, _ = onexn(
        *(*command, "--n", 8, "--epochs", 2, "--batch-size", 8, "--ramp-end", 0.5),
        *("--criterion", "l1", "--temperature", "inf", "--mask-interval", 0.25),
    )
    assert code == 0
    assert "top-1 on 8 test images: " in output
    layer = tf_keras.models.load_model(path, compile=False).get_layer("expand")
    kept = (layer.kernel.numpy()[0, 0] != 0).sum(axis=0)
    assert set(kept) == {layer.kernel.shape[2] // 2}
    code, _, errors = onexn(*command, "--ramp-begin", 0.8, "--ramp-end", 0.5)
    assert code == 1
    assert "0 <= begin <= end <= 1, found 0.8 and 0.5" in errors


def test_an_image_that_cannot_be_read_is_named(onexn, model_file, images, tmp_path):
    for name in os.listdir(images / "b"):
        (images / "b" / name).write_bytes(b"no image")
    code, _, errors = onexn(
        *("prune", model_file, "-o", tmp_path / "out.keras", "--data", images)
    )
    assert code == 1
    assert "onexn prune: Cannot read the image" in errors
    assert errors.count("\n") == 1


def test_augmentations_are_those_that_there_are(capsys):
    with pytest.raises(SystemExit):
        cli.parse(["onexn", "prune", "--help"])
    names = ",".join(("auto", *augmentation.NAMES))
    assert f"--augment {{{names}}}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def digits_file(tmp_path_factory):
    """A network with BatchNormalization for the ten digits."""
    body = small_network(width=2)
    outputs = tf_keras.layers.Dense(10, "softmax")(body.layers[-2].output)
    path = tmp_path_factory.mktemp("models") / "digits.keras"
    tf_keras.Model(body.input, outputs, name="for_digits").save(path)
    return path


def start(model, path):
    options = ("--data", "digits", "--epochs", "9", "--batch-size", "256")
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "tfmot_onexn", "prune", str(model)),
            *(*options, "--rearrange", "l1", "-o", str(path)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_file_and_goes_on(digits_file, tmp_path):
    whole, killed = tmp_path / "whole.keras", tmp_path / "killed.keras"
    uninterrupted = start(digits_file, whole)
    process = start(digits_file, killed)
    checkpoint = tmp_path / "killed.keras.checkpoints" / "checkpoint"
    deadline = time.monotonic() + 100
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not killed.exists()
    assert not list(tmp_path.glob(".unfinished-*-killed.keras"))

    resumed = start(digits_file, killed)
    output, errors = resumed.communicate()
    assert resumed.returncode == 0, errors
    assert "Sharding callback" not in errors
    assert "Epoch 1/9" not in output
    assert "Epoch 9/9" in output
    assert "top-1 on 360 test images" in output
    uninterrupted.communicate()
    expected = tf_keras.models.load_model(whole, compile=False)
    actual = tf_keras.models.load_model(killed, compile=False)
    for one, other in zip(expected.weights, actual.weights, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5, err_msg=one.name)
    assert sorted(os.listdir(tmp_path)) == ["killed.keras", "whole.keras"]


def start_workers(model, path):
    return clusters.start(
        *("-m", "tfmot_onexn", "prune", model, "-o", path, "--data", "digits"),
        *("--epochs", 12, "--batch-size", 250, "--strategy", "multiworker"),
    )


@pytest.mark.slow
def test_two_workers_prune_one_model_and_go_on_after_one_is_killed(
    digits_file, tmp_path
):
    path = tmp_path / "out.keras"
    workers = start_workers(digits_file, path)
    checkpoint = tmp_path / "out.keras.checkpoints" / "checkpoint"
    deadline = time.monotonic() + 100
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    workers[1].kill()
    (code, output, errors), _ = clusters.finish(workers)
    assert code == 1, errors
    assert "Epoch 1/12" in output
    assert "Epoch 12/12" not in output
    assert errors.startswith("onexn prune: This worker cannot go on with the others: ")
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == ["out.keras.checkpoints"]

    chief, other = clusters.finish_well(start_workers(digits_file, path))
    assert "Epoch 1/12" not in chief
    assert "Epoch 12/12" in chief
    assert "top-1 on 360 test images" in chief
    assert other == ""
    assert os.listdir(tmp_path) == ["out.keras"]
    for name in ("expand", "project", "head"):
        assert zeros(path, name) == 0.5


def test_strategies_that_cannot_be_are_refused(
    onexn, digits_file, tmp_path, monkeypatch
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    path = tmp_path / "out.keras"
    for arguments, message in [
        (("--strategy", "mirrored"), "--strategy mirrored spreads the fine-tuning"),
        (("--data", "digits", "--strategy", "multiworker"), "TF_CONFIG is not set"),
    ]:
        code, _, errors = onexn("prune", digits_file, "-o", path, *arguments)
        assert code == 1
        assert message in errors
        assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []
