import os
import subprocess
import sys

import pytest

from tfmot_onexn.networks import files


def test_write_replaces_a_file_whole(tmp_path):
    path = tmp_path / "a.txt"
    files.write(path, "old")
    files.write(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.keras"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        assert temporary.name.endswith(".keras")
        assert temporary.parent == tmp_path
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.keras"]


KILLED = """
import os, signal, sys
from tfmot_onexn.networks import files
with files.replacing(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_of_a_file_goes_with_the_next_writing(tmp_path):
    path = tmp_path / "a.keras"
    other = tmp_path / "other-a.keras"
    for killed in (path, other):
        subprocess.run([sys.executable, "-c", KILLED, str(killed)], check=False)
    assert len(os.listdir(tmp_path)) == 2
    with files.replacing(path) as first, files.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    (left,) = {*os.listdir(tmp_path)} - {"a.keras"}
    assert left.endswith("-other-a.keras")
    files.require_writable(other)
    assert os.listdir(tmp_path) == ["a.keras"]


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "a"
    for name in ("old", "new"):
        with files.replacing_folder(folder) as unfinished:
            assert unfinished.parent == tmp_path
            (unfinished / name).touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert folder.stat().st_mode == plain.stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["a", "plain"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with pytest.raises(RuntimeError), files.replacing_folder(tmp_path / "a") as folder:
        (folder / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "old"]


def test_what_a_killed_process_left_of_a_folder_goes_with_the_next_writing(tmp_path):
    code = KILLED.replace("replacing(", "replacing_folder(")
    code = code.replace("temporary.write", "(temporary / 'a').write")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=False)
    (left,) = tmp_path.iterdir()
    assert (left / "a").read_text() == "half"
    with files.replacing_folder(tmp_path / "a"):
        assert not left.exists()
    assert os.listdir(tmp_path) == ["a"]


def test_a_folder_that_cannot_be_written_is_refused_with_the_reason(tmp_path):
    with (
        pytest.raises(ValueError, match=r"Cannot write .*none/a: No such file"),
        files.replacing_folder(tmp_path / "none" / "a"),
    ):
        pass


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    files.write(tmp_path / "ours", "")
    assert (tmp_path / "ours").stat().st_mode == plain.stat().st_mode


def test_a_path_that_cannot_be_written_is_refused_with_the_reason(tmp_path):
    missing = tmp_path / "none" / "a.tflite"
    for check in (files.require_writable, lambda path: files.write(path, "")):
        with pytest.raises(ValueError, match=r"Cannot write .*a.tflite: No such file"):
            check(missing)
        with pytest.raises(ValueError, match="it is a folder"):
            check(tmp_path)
    files.require_writable(tmp_path / "a")
    assert os.listdir(tmp_path) == []
