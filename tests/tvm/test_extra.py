import importlib.metadata
import importlib.util

import pytest

from tfmot_onexn.tvm import extra


def test_what_is_installed_here_fits():
    extra.require()


@pytest.mark.parametrize("missing", ["tvm", "tflite"])
def test_a_missing_extra_is_an_error_with_the_remedy(monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == missing else find(name),
    )
    package = {"tvm": "apache-tvm", "tflite": "tflite"}[missing]
    with pytest.raises(
        ValueError, match=rf"{package} missing: pip install tfmot-onexn"
    ):
        extra.require()


@pytest.mark.parametrize(
    ("package", "version"),
    [
        ("apache-tvm", "0.28.0"),
        ("apache-tvm-ffi", "0.1.15.post2"),
        ("apache-tvm-ffi", "0.1.140"),
    ],
)
def test_a_version_that_does_not_work_is_named(monkeypatch, package, version):
    installed = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: version if name == package else installed(name),
    )
    with pytest.raises(
        ValueError, match=rf"{package} {version} does not work here, expected 0\.\d"
    ):
        extra.require()
