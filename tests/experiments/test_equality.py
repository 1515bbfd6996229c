import pytest

from tfmot_onexn.experiments import equality

# they have nothing that the others lack; `make bench` checks all
LIKE_OTHERS = {"MobileNetV3Large", "InceptionV3"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*equality.NETWORKS} - LIKE_OTHERS))
def test_networks_keep_their_outputs(name):
    found = equality.check(name)
    assert found.groups > 10
    assert found.reordered <= 1e-11
    assert found.shrunk <= 1e-11
    assert found.smaller < 0.5
    # the same measure sees what is wrong
    assert found.unmoved > 0.1
    assert found.masked > 0.1


def test_the_table(monkeypatch, capsys):
    found = equality.Equality(
        groups=20, reordered=1e-15, unmoved=0.5, smaller=0.3, shrunk=2e-15, masked=0.7
    )
    monkeypatch.setattr(equality, "check", lambda name: found)
    equality.main(["MobileNetV2"])
    out = capsys.readouterr().out
    assert "MobileNetV2" in out
    assert "one kernel unmoved" in out
