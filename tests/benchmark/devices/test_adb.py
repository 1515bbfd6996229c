"""adb itself where no device is needed, and what it said of devices elsewhere."""

import os
import shutil

import pytest

from tfmot_onexn.benchmark.devices.adb import Adb
from tfmot_onexn.benchmark.devices.device import DeviceError, ProgramError

# adb of Debian 12 (1.0.41), to the letter
NO_DEVICE = "adb: no devices/emulators found"
LOST = [
    NO_DEVICE,
    "adb: device '0123' not found",
    "error: device '0123' not found",
    "adb: device offline",
    "adb: device unauthorized.",
    "error: closed",
]


@pytest.fixture
def phone(tmp_path):
    """Stands in for adb: runs what a shell there would, in a folder here."""
    root = tmp_path / "phone"
    root.mkdir()
    program = tmp_path / "adb"
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {tmp_path}/log\n'
        f"[ -e {tmp_path}/said ] && cat {tmp_path}/said >&2 && exit 1\n"
        '[ "$1" = -s ] && shift 2\n'
        "kind=$1; shift\n"
        f'here() {{ echo "$1" | sed s,/data/local/tmp,{root},g; }}\n'
        "case $kind in\n"
        '  shell) sh -c "$(here "$1")" ;;\n'
        '  push) cp -r "$1" "$(here "$2")" ;;\n'
        "esac\n"
    )
    program.chmod(0o755)
    return program


def test_a_device_takes_files_and_runs_programs(phone, tmp_path):
    source = tmp_path / "file"
    source.write_text("what it holds")
    with Adb("adb:0123", str(phone)) as device:
        assert device.processor == os.uname().machine
        there = device.push(source, "0/a b")
        assert there == f"{device.folder}/0/a b"
        assert device.run(["cat", there], 10) == "what it holds"
        assert device.run(["printf", "%s|", "$HOME", "'"], 10) == "$HOME|'|"
        with pytest.raises(ProgramError, match=r"exit code 2.*no-such-file"):
            device.run(["ls", "/no-such-file"], 10)
    assert os.listdir(tmp_path / "phone") == []
    log = (tmp_path / "log").read_text().splitlines()
    assert all(line.startswith("-s 0123 ") for line in log)
    assert log[0].startswith("-s 0123 shell mkdir /data/local/tmp/onexn-")


@pytest.mark.parametrize("said", LOST)
def test_a_device_that_is_gone_is_lost(phone, tmp_path, said):
    with Adb("adb", str(phone)) as device:
        (tmp_path / "said").write_text(said + "\n")
        with pytest.raises(
            DeviceError, match=r"cannot be reached \(.*\).*`adb devices`"
        ) as e:
            device.run(["true"], 10)
    assert e.value.lost


@pytest.mark.skipif(shutil.which("adb") is None, reason="adb is not installed")
def test_adb_says_so_without_a_device(monkeypatch, tmp_path):
    # a server of its own, for this test alone
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "5999")
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        with pytest.raises(DeviceError, match="cannot be reached") as caught:
            Adb("adb").__enter__()
    finally:
        os.system("adb kill-server > /dev/null 2>&1")
    assert caught.value.lost
