"""Training on several devices, which must be set up before TensorFlow starts."""

import json
import pathlib
import subprocess
import sys

import clusters
import numpy as np
import pytest
import replicas
import tensorflow as tf

from tfmot_onexn.pruning import distribution

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
one = tf.config.LogicalDeviceConfiguration()
tf.config.set_logical_device_configuration(cpu, [one, one])
import tensorflow_model_optimization as tfmot
import tfmot_onexn
from graphs import batch, compiled, small_network
from tfmot_onexn.pruning.masking import MaskingWrapper

def train(prune, callback):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = compiled(prune(small_network()))
    x, y = batch(model, 32)
    model.fit(x, y, 8, 2, verbose=0, callbacks=[callback])
    wrappers = [x for x in model.layers if isinstance(x, MaskingWrapper)]
    kernels = [w.layer.kernel.numpy() for w in wrappers if hasattr(w.layer, "kernel")]
    steps = {{int(wrapper.pruning_step.numpy()) for wrapper in wrappers}}
    tfmot_onexn.convert_to_tflite(model)
    return [float((kernel == 0).mean()) for kernel in kernels], steps

schedule = tfmot_onexn.PolynomialDecay(0.0, 0.5, 1, 5, frequency=2)
onexn = tfmot_onexn.prune_low_magnitude_1xN
ours = train(lambda m: onexn(m, 4, schedule), tfmot_onexn.UpdatePruningStep())
theirs = train(
    lambda m: onexn(m, 4, schedule), tfmot.sparsity.keras.UpdatePruningStep()
)
assert ours == theirs == ([0.5, 0.5, 0.5], {{8}}), (ours, theirs)
once = train(onexn, tfmot_onexn.UpdatePruningStep())
assert once == ([0.5, 0.5, 0.5], {{-1}}), once
filters = train(
    lambda m: tfmot_onexn.prune_filters(m, schedule), tfmot_onexn.UpdatePruningStep()
)
assert filters == ([0.5, 0.5], {{8}}), filters
"""


def test_masks_follow_their_schedule_on_mirrored_devices():
    tests = str(pathlib.Path(__file__).parents[1])
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(tests=tests)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr[-3000:]


@pytest.fixture(scope="module")
def expected():
    """What training on one device ends with."""
    with distribution.strategy("none") as strategy:
        return replicas.trained(strategy)


def assert_trained_as_on_one_device(found, expected, replicas_here):
    for kind in replicas.WRAP:
        masks_rtw = found[f"{kind}: masks"]
        assert len(masks_rtw) == replicas_here
        for masks_tw in masks_rtw:
            np.testing.assert_array_equal(masks_tw, expected[f"{kind}: masks"][0])
        renewals = (np.diff(masks_rtw[0], axis=0) != 0).any(axis=1).sum()
        assert renewals >= 4, kind
        name = f"{kind}: weights"
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5, err_msg=name)


def test_two_devices_train_as_one(expected, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "replicas", "mirrored", tmp_path],
        env=clusters.ENVIRONMENT,
        check=True,
        timeout=300,
    )
    found = np.load(tmp_path / "chief.npz")
    assert_trained_as_on_one_device(found, expected, 2)
    assert "hold different values of 'mask'. Start" in found["complaints"][0]
    assert found["complaints"][1] == ""


def test_two_workers_train_as_one(expected, tmp_path):
    processes = clusters.start("-m", "replicas", "multiworker", tmp_path)
    clusters.finish_well(processes)
    for name in ("chief", "other"):
        found = np.load(tmp_path / f"{name}.npz")
        assert_trained_as_on_one_device(found, expected, 1)
        same_weights, same_settings = found["complaints"]
        assert "hold different values of 'mask'. Start all" in same_weights
        assert "hold different values of 'settings'. Start" in same_settings


def test_names_and_clusters_that_do_not_exist_are_refused(monkeypatch):
    for name, config, message in [
        ("parameter_server", None, r"'parameter_server'; choose one of \['none', "),
        ("multiworker", None, "TF_CONFIG is not set"),
        ("multiworker", "{}", "TF_CONFIG names no cluster"),
    ]:
        monkeypatch.delenv("TF_CONFIG", raising=False)
        if config:
            monkeypatch.setenv("TF_CONFIG", config)
        with (
            pytest.raises(ValueError, match=message),
            distribution.strategy(name),
        ):
            pass


def test_a_cluster_asked_for_after_the_first_tensor_is_refused(monkeypatch):
    tf.constant(0)
    cluster, task = {"worker": ["a:1", "b:1"]}, {"type": "worker", "index": 0}
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    with (
        pytest.raises(ValueError, match=r"comes too late.*right after the imports"),
        distribution.strategy("multiworker"),
    ):
        pass


def test_one_device_is_its_own_chief_and_needs_no_scope():
    with distribution.strategy("none") as strategy:
        assert distribution.is_chief(strategy)
    assert not tf.distribute.has_strategy()


def test_what_ends_the_others_ends_a_worker_in_one_line(monkeypatch):
    monkeypatch.setattr(distribution, "_multiworker", tf.distribute.get_strategy)
    for message, told in [
        ("{{node x}} Collective ops is aborted by: reset\nmore", "by: reset. Look at"),
        (
            "Graph execution error:\n\nCollective ops is aborted by: a.\nb",
            "by: a. Look",
        ),
        ("Socket closed", "with the others: Socket closed. Look"),
    ]:
        with (
            pytest.raises(ValueError, match=told) as raised,
            distribution.strategy("multiworker"),
        ):
            raise tf.errors.UnavailableError(None, None, message)
        assert "\n" not in str(raised.value)
    with (
        pytest.raises(tf.errors.ResourceExhaustedError),
        distribution.strategy("multiworker"),
    ):
        raise tf.errors.ResourceExhaustedError(None, None, "no memory")
