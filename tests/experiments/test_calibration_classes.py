import numpy as np
import pytest
import tf_keras
from paper_results import tiny_mobilenet

from tfmot_onexn.experiments import calibration_classes
from tfmot_onexn.experiments.calibration_classes import Fidelity, LayerError, Row
from tfmot_onexn.networks import datasets
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import prune


@pytest.fixture
def network():
    return randomize(tiny_mobilenet((32, 32, 3), weights=None, classes=10))


def test_each_half_of_the_classes_prunes_the_network_once(network, monkeypatch):
    dataset, given = datasets.load("digits", 32), []
    original = prune.prune_low_magnitude_1xN

    def noted(*arguments, **options):
        given.append(options["calibration"].images)
        return original(*arguments, **options)

    monkeypatch.setattr(prune, "prune_low_magnitude_1xN", noted)
    rows = calibration_classes.measure(network, dataset, 4, count=24, tested=16)
    assert [row.classes for row in rows] == ["same", "other"]
    pixels = dataset.train_images.take(np.arange(len(dataset.train_labels)))
    flat = pixels.reshape(len(pixels), -1).astype(np.float32)
    for images, expected in zip(given, ({0, 1, 2, 3, 4}, {5, 6, 7, 8, 9}), strict=True):
        assert len(images) == 24
        undone = (images.reshape(24, -1) + 1) * 127.5
        which = [np.abs(flat - one).max(axis=1).argmin() for one in undone]
        assert set(dataset.train_labels[which]) <= expected
    for row in rows:
        assert 0 < row.calibrated.agreement <= 1
        assert row.tested.divergence > 0


def test_a_network_agrees_with_itself_and_not_with_another(network):
    images = np.random.default_rng(0).normal(size=(60, 32, 32, 3)).astype(np.float32)
    same = calibration_classes.fidelity(network, network, images)
    assert same == Fidelity(1.0, 0.0)
    other = randomize(tiny_mobilenet((32, 32, 3), weights=None, classes=10), seed=1)
    found = calibration_classes.fidelity(network, other, images)
    assert found.agreement < 0.9
    assert found.divergence > 0.01


def test_outputs_of_layers_are_set_against_the_dense_ones(network):
    images = np.random.default_rng(0).normal(size=(60, 32, 32, 3)).astype(np.float32)
    names = ["stem_bn", "dw0", "pw0_bn", "end"]
    same = calibration_classes.output_errors(network, network, names, images)
    assert same == [0.0] * 4
    other = randomize(tiny_mobilenet((32, 32, 3), weights=None, classes=10), seed=1)
    found = calibration_classes.output_errors(network, other, names, images)
    for name, error in zip(names, found, strict=True):
        wanted, made = (
            tf_keras.Model(each.inputs, each.get_layer(name).output)(images).numpy()
            for each in (network, other)
        )
        variance = wanted.reshape(-1, wanted.shape[-1]).var(axis=0).mean()
        assert error == pytest.approx(((wanted - made) ** 2).mean() / variance, 1e-4)


def test_errors_of_the_layers_that_are_asked_for(network):
    dataset, last = datasets.load("digits", 32), network.layers[-3].name
    options = {"count": 24, "tested": 16, "layers": [last]}
    rows = calibration_classes.measure(network, dataset, 4, **options)
    for row in rows:
        (found,) = row.layers
        assert found.layer == last
        # 24 images are too few to tell more than themselves
        assert 0 < found.calibrated < found.tested
    with pytest.raises(ValueError, match="No such layer: none_such"):
        calibration_classes.measure(network, dataset, 4, layers=["none_such"])


def test_the_table(monkeypatch, capsys):
    errors = (LayerError("Conv_1", 0.907, 0.474),)
    rows = [
        Row("same", Fidelity(0.643, 0.61), Fidelity(0.9, 0.05), 72, errors),
        Row("other", Fidelity(0.417, 1.7), Fidelity(0.907, 0.05), 71),
    ]
    monkeypatch.setattr(calibration_classes, "measure", lambda *_, **__: rows)
    arguments = ["--data", "digits", "--weights", "random", "--input-size", "32"]
    arguments += ["--n", "4"]
    calibration_classes.main([*arguments, "--layers", "Conv_1"])
    out = capsys.readouterr().out.replace("│", " ").split()
    start = out.index("Conv_1")
    assert out[start : start + 4] == ["Conv_1", "0.907", "0.474", "1.91"]
    calibration_classes.main(arguments)
    out = capsys.readouterr().out
    assert "Conv_1" not in out
    assert "the same classes" in out
    assert "64.3 %" in out
    assert "1.70" in out
