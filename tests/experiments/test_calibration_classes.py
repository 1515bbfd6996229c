import numpy as np
import pytest
from paper_results import tiny_mobilenet

from tfmot_onexn.experiments import calibration_classes
from tfmot_onexn.experiments.calibration_classes import Fidelity, Row
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


def test_the_table(monkeypatch, capsys):
    rows = [
        Row("same", Fidelity(0.643, 0.61), Fidelity(0.9, 0.05), 72),
        Row("other", Fidelity(0.417, 1.7), Fidelity(0.907, 0.05), 71),
    ]
    monkeypatch.setattr(calibration_classes, "measure", lambda *_, **__: rows)
    calibration_classes.main(
        ["--data", "digits", "--weights", "random", "--input-size", "32", "--n", "4"]
    )
    out = capsys.readouterr().out
    assert "the same classes" in out
    assert "64.3 %" in out
    assert "1.70" in out
