import pathlib
import shutil

import pytest

from tfmot_onexn.benchmark.devices import device, names

needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-aarch64-static") is None, reason="qemu is not installed"
)


def test_files_and_folders_are_put_beside_each_other(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("text")
    with names.device("qemu-aarch64") as emulator:
        assert pathlib.Path(emulator.push(tmp_path / "a", "x/a"), "b").exists()
        there = emulator.push(tmp_path / "a" / "b", "x/c")
        assert pathlib.Path(there).read_text() == "text"
        folder = pathlib.Path(emulator.folder)
    assert not folder.exists()


@needs_qemu
def test_a_program_for_another_processor_is_told_so():
    with (
        names.device("qemu-aarch64") as emulator,
        pytest.raises(device.ProgramError, match="qemu-aarch64-static failed"),
    ):
        emulator.run([shutil.which("true")], 10)


def test_a_missing_emulator_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with (
        names.device("qemu-armv7") as emulator,
        pytest.raises(device.DeviceError, match="apt-get install qemu-user-static"),
    ):
        emulator.run(["program"], 10)
    assert emulator.processor == "armv7l"
