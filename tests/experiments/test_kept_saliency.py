import numpy as np
import pytest
from graphs import small_network

from tfmot_onexn.experiments import kept_saliency
from tfmot_onexn.networks.random_weights import randomize


@pytest.fixture(scope="module")
def network():
    return kept_saliency.Network(randomize(small_network(width=2)))


def test_ways_keep_more_and_more(network):
    layers = [network.kept(4, 0.5, way)[0] for way in kept_saliency.WAYS]
    shares = [kept_saliency.share(kept) for kept in layers]
    assert shares == sorted(shares)
    assert 0.5 < shares[0] < shares[-1] < 0.9
    assert list(layers[0]) == ["expand", "project", "head"]


def test_the_share_of_a_network_weighs_layers_by_their_norm(network):
    layers, _ = network.kept(4, 0.5, "none")
    norms = [kept.total for kept in layers.values()]
    shares = [kept.share for kept in layers.values()]
    assert kept_saliency.share(layers) == pytest.approx(np.average(shares, None, norms))
    kernel = network.model.get_layer("head").get_weights()[0]
    assert layers["head"].total == pytest.approx(np.abs(kernel).sum(), 1e-5)


def test_the_tables_name_networks_layers_and_gains(network, capsys, monkeypatch):
    asked = []

    def build(name, weights, alpha):
        asked.append((name, weights, alpha))
        return network.model

    monkeypatch.setattr(kept_saliency.models, "build", build)
    kept_saliency.main(["mobilenet:0.75=some.npz", "--n", "8", "--layers"])
    output = capsys.readouterr().out
    assert asked == [("mobilenet", "some.npz", 0.75)]
    for expected in ("mobilenet:0.75", "swaps", "closed", "project", "layer by layer"):
        assert expected in output
