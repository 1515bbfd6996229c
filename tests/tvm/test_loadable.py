import platform
import struct

import pytest

from tfmot_onexn import targets
from tfmot_onexn.tvm import loadable, trailer

DESCRIPTION = {"format": "vm", "model": "m", "inputs": [], "outputs": [], "row": {}}
NUMBERS = {"x86_64": 62, "aarch64": 183, "armv7l": 40}
HERE = NUMBERS[platform.machine()]


@pytest.fixture
def build(tmp_path):
    """Writes the header of a library, and a description."""

    def write(target, number=HERE):
        path = tmp_path / "b.so"
        path.write_bytes(b"\x7fELF" + bytes(14) + struct.pack("<H", number) + bytes(44))
        trailer.append(path, {**DESCRIPTION, "target": target})
        return path

    return write


def test_a_build_of_this_machine_may_be_loaded(build):
    assert loadable.require(build("host"))["format"] == "vm"


@pytest.mark.parametrize(
    ("target", "number", "found"),
    [
        ("riscv", 243, r"riscv \(processor 243\)"),
        ("ppc", 21, r"ppc \(processor 21\)"),
    ],
)
def test_one_for_another_processor_is_refused(build, target, number, found):
    with pytest.raises(
        ValueError, match=rf"b\.so is built for {found}, this machine is .* Build it"
    ):
        loadable.require(build(target, number))


def test_one_for_arm_is_refused_elsewhere(build, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    path = build("aarch64-linux-gnu", NUMBERS["aarch64"])
    with pytest.raises(ValueError, match=r"\(aarch64\), this machine is x86_64"):
        loadable.require(path)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert loadable.require(path)["target"] == "aarch64-linux-gnu"
    path = build("aarch64-linux-android", NUMBERS["aarch64"])
    with pytest.raises(ValueError, match="is built for Android"):
        loadable.require(path)


@pytest.mark.parametrize("name", ["armv7l", "armv8l"])
def test_32_bit_arm_has_two_names(build, monkeypatch, name):
    monkeypatch.setattr(platform, "machine", lambda: name)
    loadable.require(build("armv7-linux-gnueabihf", NUMBERS["armv7l"]))


def test_one_for_instructions_that_are_missing_is_refused(build, monkeypatch, tmp_path):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(loadable, "_CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("model\t: 1\nflags\t\t: fpu avx2 fma\n\n")
    loadable.require(build("x86-64-v3", NUMBERS["x86_64"]))
    with pytest.raises(
        ValueError, match=r"is built for x86-64-v4, this machine lacks avx512bw, avx"
    ):
        loadable.require(build("x86-64-v4", NUMBERS["x86_64"]))


def test_a_file_that_is_no_build_is_refused(tmp_path):
    (tmp_path / "b.so").write_text("text")
    with pytest.raises(ValueError, match="is no TVM build"):
        loadable.require(tmp_path / "b.so")


def test_code_for_this_machine_fits_it():
    assert loadable.unfit(targets.resolve("host")) == ""
    other = "aarch64-linux-gnu" if NUMBERS["x86_64"] == HERE else "x86-64-v3"
    assert loadable.unfit(targets.resolve(other)) == f"is {platform.machine()}"


@pytest.mark.skipif(NUMBERS["x86_64"] != HERE, reason="levels of x86")
def test_code_for_missing_instructions_does_not(monkeypatch, tmp_path):
    monkeypatch.setattr(loadable, "_CPUINFO", tmp_path / "cpuinfo")
    (tmp_path / "cpuinfo").write_text("flags\t: sse2 avx2\n")
    assert loadable.unfit(targets.resolve("x86-64-v3")) == "lacks fma"
