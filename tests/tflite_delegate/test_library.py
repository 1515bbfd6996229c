"""What the shipped library needs and shows: nothing of C++, and two functions."""

import pathlib
import re
import subprocess

import pytest
from chain_library import build
from delegate_libraries import library_for

PLUGIN = {"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"}
# what a C library brings, under the names it has had
C_LIBRARIES = re.compile(r"lib(c|m|dl|pthread|rt)\.so\.\d+|ld-linux.*\.so\.\d+")
MOST_BYTES = 5_000_000


def printed(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def symbols(path, which):
    """Returns a library's dynamic symbols as (kind, name, version)."""
    lines = printed("nm", "-D", f"--{which}-only", str(path)).splitlines()
    fields = [line.split()[-2:] for line in lines]
    return [(kind, *name.partition("@")[::2]) for kind, name in fields]


def needed(path):
    return re.findall(r"NEEDED.*\[(.*)\]", printed("readelf", "-d", str(path)))


def glibc_of(path):
    """Returns the oldest C library that has all that a library asks for."""
    versions = re.findall(r"GLIBC_([\d.]+)", printed("readelf", "-V", str(path)))
    return max(tuple(map(int, version.split("."))) for version in versions)


def check(path, record_property):
    assert {name for _, name, _ in symbols(path, "defined")} == PLUGIN
    assert all(map(C_LIBRARIES.fullmatch, needed(path))), needed(path)
    strong = [name for kind, name, _ in symbols(path, "undefined") if kind == "U"]
    assert strong
    # names of C++, and what exceptions and thread-safe statics call
    foreign = ("_Z", "__cxa", "__gxx", "_Unwind")
    assert [name for name in strong if name.startswith(foreign)] == []
    size = path.stat().st_size
    assert size < MOST_BYTES
    record_property("bytes", size)
    print(f"{size} bytes, glibc {'.'.join(map(str, glibc_of(path)))}")


def test_this_machines_library(library, record_property):
    check(pathlib.Path(library), record_property)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["x86-64-v3", "aarch64-linux-gnu", "armv7-linux-gnueabihf"]
)
def test_libraries_for_other_machines(name, record_property):
    path = library_for(name)
    check(path, record_property)
    assert glibc_of(path) <= (2, 17)


def test_a_library_that_shows_more_is_seen(record_property):
    shown = build("onexn_testing") / "testing" / "libonexn_testing.so"
    assert "onexn_create" in {name for _, name, _ in symbols(shown, "defined")}
    with pytest.raises(AssertionError):
        check(shown, record_property)
