import pytest
from delegate_libraries import library_for

from tfmot_onexn.tflite import delegate, delegate_build


def test_the_library_of_this_machine_is_written(onexn, tmp_path):
    path = tmp_path / "libonexn_delegate.so"
    code, output, errors = onexn("delegate", "-o", path)
    assert (code, errors) == (0, "")
    assert output.startswith(f"Wrote {path}: ")
    assert path.read_bytes() == delegate.packaged().read_bytes()


@pytest.mark.slow
def test_a_library_for_another_machine_is_built(onexn, tmp_path, monkeypatch):
    monkeypatch.setattr(
        delegate_build, "build", lambda target, folder: library_for(target.name)
    )
    path = tmp_path / "arm.so"
    code, output, _ = onexn("delegate", "-o", path, "--target", "aarch64-linux-gnu")
    assert code == 0
    assert "for aarch64-linux-gnu" in output
    with pytest.raises(ValueError, match=r"arm.so is built for aarch64, this machine"):
        delegate.load(None, path)


def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    onexn, tmp_path, monkeypatch
):
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    for target, message in (
        ("pdp-11", "Unknown target 'pdp-11'; choose one of ['host'"),
        ("aarch64-linux-android", "needs the Android NDK"),
    ):
        code, output, errors = onexn(
            "delegate", "-o", tmp_path / "a.so", "--target", target
        )
        assert (code, output) == (1, "")
        assert errors.startswith("onexn delegate: ")
        assert message in errors
        assert errors.count("\n") == 1
    code, _, errors = onexn("delegate", "-o", tmp_path / "none" / "a.so")
    assert code == 1
    assert "Cannot write" in errors
    assert list(tmp_path.iterdir()) == []
