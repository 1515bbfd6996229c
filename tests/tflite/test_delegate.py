import os
import shutil
import struct

import pytest
from ai_edge_litert.interpreter import load_delegate

from tfmot_onexn.tflite import compilers, delegate, delegate_build


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(delegate_build, "LIBRARY", "libmissing.so")


def test_the_package_brings_a_library():
    path = delegate.packaged()
    assert path.name == "libonexn_delegate.so"
    assert delegate.load(load_delegate)


def test_a_missing_library_is_told_with_the_remedy(missing):
    with pytest.raises(ValueError, match=r"missing: .*libmissing.so. Reinstall tfmot"):
        delegate.load(load_delegate)


def test_the_host_gets_the_packaged_library(tmp_path):
    path = tmp_path / "mine.so"
    delegate.write(path)
    assert path.read_bytes() == delegate.packaged().read_bytes()
    assert delegate.load(load_delegate, path)


def build_in_no_time(wanted, folder):
    (folder / "built.so").write_text(wanted.name)
    return folder / "built.so"


def test_what_is_not_packaged_is_built(tmp_path, monkeypatch, missing):
    monkeypatch.setattr(delegate_build, "build", build_in_no_time)
    for target in ("host", "aarch64-linux-gnu"):
        delegate.write(tmp_path / "built.so", target)
        assert (tmp_path / "built.so").read_text() == target


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="Unknown target 'mips'"):
        delegate.write(tmp_path / "a.so", "mips")
    with pytest.raises(ValueError, match=r"Cannot write .*No such file"):
        delegate.write(tmp_path / "none" / "a.so")

    def fail(wanted, folder):
        raise compilers.BuildError("Building failed", "")

    monkeypatch.setattr(delegate_build, "build", fail)
    (tmp_path / "old.so").write_text("old")
    with pytest.raises(ValueError, match="Building failed"):
        delegate.write(tmp_path / "old.so", "x86-64-v3")
    assert os.listdir(tmp_path) == ["old.so"]
    assert (tmp_path / "old.so").read_text() == "old"


def test_a_library_for_another_processor_is_refused(tmp_path):
    path = tmp_path / "other.so"
    content = bytearray(delegate.packaged().read_bytes())
    own = struct.unpack_from("<H", content, 18)[0]
    other, name = (183, "aarch64") if own != 183 else (62, "x86_64")
    struct.pack_into("<H", content, 18, other)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"other.so is built for {name}, this .* is"):
        delegate.load(load_delegate, path)
    struct.pack_into("<H", content, 18, 999)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is built for processor 999"):
        delegate.load(load_delegate, path)


def test_what_is_no_delegate_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"Cannot read the delegate .*none.so: No such"
    ):
        delegate.load(load_delegate, tmp_path / "none.so")
    text = tmp_path / "text.so"
    text.write_text("no library at all, but long enough")
    with pytest.raises(ValueError, match=r"text.so is not a library of Linux"):
        delegate.load(load_delegate, text)
    content = delegate.packaged().read_bytes()
    cut = tmp_path / "cut.so"
    for length in (100, 2000, len(content) // 2, len(content) - 1):
        cut.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"cut.so is cut off: write it again"):
            delegate.load(load_delegate, cut)


def test_a_program_is_no_library():
    with pytest.raises(ValueError, match=r"cannot be loaded: .*`onexn delegate -o F"):
        delegate.load(load_delegate, os.path.realpath("/bin/sh"))


def test_another_library_is_no_delegate(tmp_path):
    import _ctypes

    other = tmp_path / "other.so"
    shutil.copy(_ctypes.__file__, other)
    with pytest.raises(ValueError, match=r"other.so is a library, but no delegate"):
        delegate.load(load_delegate, other)


def test_options_reach_the_delegate_and_its_message_the_user():
    assert delegate.load(load_delegate, options={"num_threads": 2, "kernel": "auto"})
    with pytest.raises(ValueError, match=r'^onexn delegate: option num_threads is "0"'):
        delegate.load(load_delegate, options={"num_threads": 0})
