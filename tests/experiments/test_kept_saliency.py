import numpy as np

from tfmot_onexn.experiments import kept_saliency


def test_ways_keep_more_and_more(rng):
    network = [
        [rng.normal(size=(1, 1, 12, 32)).astype(np.float32)],
        [rng.normal(size=(1, 1, 8, 24)).astype(np.float32) for _ in range(2)],
    ]
    shares = [kept_saliency.kept(network, 4, 0.5, way)[0] for way in kept_saliency.WAYS]
    assert shares == sorted(shares)
    assert 0.5 < shares[0] < shares[-1] < 0.9


def test_groups_are_those_that_pruning_would_rearrange():
    groups = kept_saliency.groups("mobilenet_v2", "random", 0.35)
    sizes = [[kernel.shape[-1] for kernel in kernels] for kernels in groups]
    assert max(len(of_group) for of_group in sizes) == 4
    assert sum(len(of_group) for of_group in sizes) == 34
    assert all(len(set(of_group)) == 1 for of_group in sizes)


def test_the_table_names_networks_and_gains(capsys, monkeypatch):
    monkeypatch.setattr(
        kept_saliency,
        "groups",
        lambda *_: [[np.random.default_rng(0).normal(size=(8, 48)).astype(np.float32)]],
    )
    kept_saliency.main(["mobilenet:0.75=random"])
    output = capsys.readouterr().out
    assert "mobilenet:0.75" in output
    assert "swaps" in output
