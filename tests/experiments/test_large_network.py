from tfmot_onexn.experiments import large_network


def test_the_table(monkeypatch, capsys):
    weights = 1e8
    figures = {
        "dense": {"prune": 0, "convert": 3, "content": 1e8, "peak": 5e8},
        "pruned": {"prune": 7, "convert": 4, "content": 6e7, "peak": 6.5e8},
    }

    def measure(network, way, rearrange):
        assert (network, rearrange) == ("ResNet152", "auto")
        return {**figures[way], "weights": weights}

    monkeypatch.setattr(large_network, "measure", measure)
    large_network.main(["ResNet152"])
    out = capsys.readouterr().out
    assert "ResNet152, 100 MB of weights" in out
    assert "1.50 × weights" in out


def test_a_network_is_pruned_in_a_process_of_its_own():
    pruned = large_network.measure("MobileNet", "pruned", "l1")
    assert pruned["weights"] > 1e7
    # a dense file has all weights
    assert pruned["content"] < 0.8 * pruned["weights"]
    assert pruned["peak"] > pruned["weights"]
