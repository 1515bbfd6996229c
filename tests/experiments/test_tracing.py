import pytest
import tf_keras

from tfmot_onexn.experiments import tracing


def test_every_family_is_represented():
    families = {name.rstrip("0123456789LMSB") for name in tracing.networks()}
    assert len(tracing.networks()) >= 71
    for family in families:
        assert any(name.startswith(family[:6]) for name in tracing.SMALLEST), family


@pytest.mark.slow
@pytest.mark.parametrize("name", tracing.SMALLEST)
def test_all_but_the_classifier_is_free(name):
    found = tracing.trace(getattr(tf_keras.applications, name)(weights=None))
    assert found.untraced == ()
    assert found.free == found.kernels - 1
    mixing = name.startswith(("ConvNeXt", "RegNet"))
    assert (found.removable < found.free) == mixing


def test_the_table(capsys):
    tracing.main(["MobileNet"])
    assert "MobileNet" in capsys.readouterr().out
