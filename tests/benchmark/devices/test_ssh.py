import pathlib
import platform

import pytest

from tfmot_onexn.benchmark.devices.device import DeviceError, ProgramError
from tfmot_onexn.benchmark.devices.ssh import Ssh


def test_a_host_takes_files_and_runs_programs(ssh, tmp_path):
    assert ssh.processor == platform.machine()
    source = tmp_path / "a file"
    source.write_text("what it holds")
    there = ssh.push(source, "in a folder/of its own")
    assert ssh.run(["cat", there], 10) == "what it holds"
    # words reach the program as they are
    assert ssh.run(["printf", "%s|", "a b", "$HOME", "'"], 10) == "a b|$HOME|'|"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").write_text("1")
    there = ssh.push(folder, "0/folder")
    assert ssh.run(["ls", there], 10) == "x\n"


def test_its_folder_goes_in_the_end(ssh_options):
    with Ssh("ssh:127.0.0.1", ssh_options) as device:
        folder = pathlib.Path(device.folder)
        assert folder.is_dir()
    assert not folder.exists()


def test_what_fails_there_does_not_lose_it(ssh):
    with pytest.raises(ProgramError, match=r"exit code 2.*no-such-file") as caught:
        ssh.run(["ls", "/no-such-file"], 10)
    assert not caught.value.lost
    with pytest.raises(DeviceError, match=r"did not end on ssh:127.0.0.1 within"):
        ssh.run(["sleep", "5"], 0.5)


def test_a_host_that_does_not_answer_is_lost(ssh_options):
    # of an option that is given twice the first counts
    device = Ssh("ssh:127.0.0.1", ["-o", "Port=1", *ssh_options])
    with pytest.raises(DeviceError, match=r"cannot be reached.*refused") as caught:
        device.__enter__()
    assert caught.value.lost
