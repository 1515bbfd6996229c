import platform

import pytest

from tfmot_onexn import targets


def test_names_are_those_of_the_design():
    assert set(targets.NAMES) == {
        *("host", "x86-64-v3", "x86-64-v4", "aarch64-linux-gnu"),
        *("aarch64-linux-android", "armv7-linux-gnueabihf"),
    }
    for name, target in targets.TARGETS.items():
        assert target.name == name
        assert targets.resolve(name) is target
        assert target.android == ("android" in name)


def test_the_host_is_this_machine(monkeypatch):
    assert targets.resolve("host").processor == platform.machine()
    for machine, triple in (
        ("x86_64", "x86_64-linux-gnu"),
        ("aarch64", "aarch64-linux-gnu"),
        ("armv7l", "arm-linux-gnueabihf"),
        ("riscv64", "riscv64-linux-gnu"),
    ):
        monkeypatch.setattr(platform, "machine", lambda machine=machine: machine)
        host = targets.resolve("host")
        assert (host.name, host.triple) == ("host", triple)
        assert not host.android


def test_an_unknown_target_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"Unknown target 'sparc'; choose .*'host'"):
        targets.resolve("sparc")
