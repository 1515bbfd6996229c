"""Wrapped and stripped models in files: trained on, exported, loaded elsewhere."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from graphs import batch, images, relative_error
from tensorflow_model_optimization.sparsity import keras as tfmot
from training import (
    assert_pruned_weights_are_zero,
    assert_same_weights,
    masks_of,
    tiny_network,
    wrappers,
)

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.pruning.callbacks import UpdatePruningStep
from tfmot_onexn.tflite import convert

FILES = ["a.keras", "a.h5", "saved_model"]
OPTIMIZERS = {
    "momentum": lambda: tf_keras.optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: tf_keras.optimizers.Adam(1e-2),
}


def wrapped(pruning_schedule=None):
    return prune.prune_low_magnitude_1xN(
        randomize(tiny_network()),
        4,
        pruning_schedule or tfmot.PolynomialDecay(0.1, 0.5, 1, 7, frequency=2),
        policy.PruneAll(),
    )


def compiled(model, optimizer="momentum"):
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[optimizer](), loss)
    return model


def fit(model):
    """Four steps."""
    x, y = batch(model, 32)
    model.fit(x, y, 8, verbose=0, shuffle=False, callbacks=[UpdatePruningStep()])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", ["a.keras", "a.h5"])
def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(
    tmp_path, name, optimizer
):
    model = compiled(wrapped(), optimizer)
    fit(model)
    model.save(tmp_path / name)
    loaded = tf_keras.models.load_model(tmp_path / name)
    for each in (model, loaded):
        fit(each)
    assert_same_weights(model, loaded, atol=1e-6)
    assert {int(wrapper.pruning_step) for wrapper in wrappers(loaded)} == {8}


@pytest.mark.parametrize("name", FILES)
def test_masks_hold_when_a_file_is_trained_on_with_a_new_optimizer(tmp_path, name):
    model = compiled(wrapped(schedule.OneShot(0.5)))
    fit(model)
    model.save(tmp_path / name)
    loaded = tf_keras.models.load_model(tmp_path / name, compile=False)
    assert_same_weights(model, loaded)
    for each in (model, loaded):
        fit(compiled(each, "adam"))
    assert_same_weights(model, loaded, atol=1e-6)
    assert_pruned_weights_are_zero(loaded)
    for mask in masks_of(loaded):
        assert mask.mean() == 0.5


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5", "checkpoint"])
def test_masks_come_with_files_of_weights(tmp_path, name):
    model = compiled(wrapped())
    fit(model)
    model.save_weights(tmp_path / name)
    fresh = wrapped()
    assert masks_of(fresh)[0].all()
    fresh.load_weights(tmp_path / name)
    assert_same_weights(model, fresh)
    fit(compiled(fresh))
    assert {int(wrapper.pruning_step) for wrapper in wrappers(fresh)} == {8}
    for mask in masks_of(fresh):
        assert mask.mean() == 0.5


@pytest.mark.parametrize("strip", [False, True])
def test_exports_infer_and_convert_as_the_model_does(tmp_path, strip):
    model = compiled(wrapped())
    fit(model)
    if strip:
        model = prune.strip_pruning(model)
    x = images(model, 3)
    expected = model(x).numpy()
    assert np.abs(expected).max() > 0.1

    model.export(str(tmp_path / "export"))
    exported = tf.saved_model.load(str(tmp_path / "export"))
    assert relative_error(exported.serve(x), expected) <= 1e-6

    tf.saved_model.save(model, str(tmp_path / "saved"))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    (output,) = saved.signatures["serving_default"](tf.constant(x)).values()
    assert relative_error(output, expected) <= 1e-6

    tf_keras.models.save_model(model, str(tmp_path / "keras"), save_format="tf")
    loaded = tf_keras.models.load_model(str(tmp_path / "keras"))
    assert relative_error(loaded(x), expected) <= 1e-6
    content = convert.convert_to_tflite(model)
    assert convert.convert_to_tflite(loaded) == content
    for folder in ("export", "saved"):
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / folder))
        interpreter = tf.lite.Interpreter(model_content=converter.convert())
        runner = interpreter.get_signature_runner()
        (result,) = runner(**{next(iter(runner.get_input_details())): x}).values()
        assert relative_error(result, expected) <= 1e-5


LOADED_ELSEWHERE = """
import os, sys
os.environ["TF_USE_LEGACY_KERAS"] = "1"
if sys.argv[1] == "tensorflow first":
    import tensorflow
import tfmot_onexn
import contextlib
import tf_keras
_, order, count, *paths = sys.argv
first = order == "tensorflow first"
scope = contextlib.nullcontext if first else tfmot_onexn.prune_scope
for path in paths:
    with scope():
        model = tf_keras.models.load_model(path)
    names = {type(layer).__name__ for layer in model.layers}
    assert "PruneLowMagnitude1xN" in names, names
    assert tfmot_onexn.strip_pruning(model).count_params() == int(count)
"""


def test_wrapped_models_load_in_a_process_of_their_own(tmp_path):
    """With no scope, or in ours if TensorFlow is imported after the package."""
    model = wrapped()
    count = prune.strip_pruning(model).count_params()
    paths = [str(tmp_path / name) for name in FILES]
    for path in paths:
        model.save(path)
    command = [sys.executable, "-c", LOADED_ELSEWHERE]
    started = [
        subprocess.Popen(
            [*command, order, str(count), *paths], stderr=subprocess.PIPE, text=True
        )
        for order in ("tensorflow first", "package first")
    ]
    for process in started:
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-2000:]
