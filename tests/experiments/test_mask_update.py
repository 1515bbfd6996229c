from graphs import small_network

from tfmot_onexn.experiments import mask_update
from tfmot_onexn.pruning import policy
from tfmot_onexn.sparsity.regrow import CRITERIA


def test_every_update_but_the_first_is_timed():
    seconds = mask_update.seconds_of_updates(
        small_network(), policy.PrunePointwise(), 8, "bpar", turns=3
    )
    assert len(seconds) == 3
    assert min(seconds) > 0


def test_the_table_has_every_network_and_criterion(monkeypatch, capsys):
    monkeypatch.setattr(mask_update.models, "build", lambda *_: small_network())
    mask_update.main(["--n", "8", "--turns", "1"])
    printed = capsys.readouterr().out
    for word in (*mask_update.NETWORKS, *CRITERIA, "Seconds"):
        assert word in printed
