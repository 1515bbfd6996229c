import importlib.metadata

from tfmot_onexn.tflite import versions


def test_what_is_installed_is_told():
    found = versions.installed()
    assert found["apache-tvm"].startswith("0.27")
    assert found["tfmot-onexn"] == importlib.metadata.version("tfmot-onexn")
    # in an environment of its own
    assert "tflite-runtime" not in found
