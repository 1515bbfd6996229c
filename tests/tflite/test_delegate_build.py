import struct

import pytest
from delegate_libraries import library_for, write_small

from tfmot_onexn import targets
from tfmot_onexn.tflite import compilers, delegate_build

# what a machine is called in the header of its programs
_MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40}

_OWN_TOOLCHAIN = """
file(WRITE "${CMAKE_BINARY_DIR}/given.txt"
  "${ANDROID_ABI} ${ANDROID_PLATFORM} ${ANDROID_STL}")
"""


def machine_of(path):
    return struct.unpack_from("<H", path.read_bytes(), 18)[0]


def test_the_sources_are_those_beside_the_package_or_in_it(tmp_path, monkeypatch):
    beside = delegate_build.sources()
    assert beside.name == "tflite_delegate"
    package = tmp_path / "tfmot_onexn" / "tflite"
    (package / "delegate_sources").mkdir(parents=True)
    monkeypatch.setattr(delegate_build, "__file__", str(package / "a.py"))
    with pytest.raises(ValueError, match="sources of the delegate are missing in"):
        delegate_build.sources()
    (package / "delegate_sources" / "CMakeLists.txt").touch()
    assert delegate_build.sources() == package / "delegate_sources"


def test_sources_are_all_that_is_built(tmp_path):
    names = {
        path.suffix
        for pattern in delegate_build.SOURCES
        for path in delegate_build.sources().glob(pattern)
    }
    assert {".txt", ".map", ".cc", ".h"} == names


@pytest.fixture
def small(tmp_path, monkeypatch):
    sources = write_small(tmp_path / "sources")
    monkeypatch.setattr(delegate_build, "sources", lambda: sources)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["x86-64-v3", "aarch64-linux-gnu", "armv7-linux-gnueabihf"]
)
def test_a_library_is_built_for_its_target(name):
    target = targets.resolve(name)
    library = library_for(name)
    assert library.name == "libonexn_delegate.so"
    assert machine_of(library) == _MACHINES[target.processor]


def test_this_machines_compiler_builds_for_the_host(tmp_path, small):
    host = targets.resolve("host")
    library = delegate_build.build(host, tmp_path / "build")
    assert machine_of(library) == _MACHINES[host.processor]
    assert not (tmp_path / "build" / "zig.cmake").exists()


@pytest.mark.slow
def test_zig_builds_where_there_is_no_compiler(tmp_path, monkeypatch, small):
    monkeypatch.setattr(delegate_build, "has_compiler", lambda: False)
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(tmp_path / "cache"))
    host = targets.resolve("host")
    library = delegate_build.build(host, tmp_path / "build")
    assert machine_of(library) == _MACHINES[host.processor]
    assert f"{host.triple}.2.17" in (tmp_path / "build" / "zig-c++").read_text()
    # a minute of work that nothing needs
    runtimes = {path.name for path in tmp_path.glob("cache/o/*/*.a")}
    assert runtimes == {"libcompiler_rt.a", "libc_nonshared.a"}


@pytest.mark.slow
def test_a_second_build_compiles_nothing_but_may_have_another_compiler(
    tmp_path, monkeypatch, small
):
    host = targets.resolve("host")
    delegate_build.build(host, tmp_path)
    (one,) = tmp_path.glob("CMakeFiles/onexn_delegate.dir/small.cc.o")
    before = one.stat().st_mtime_ns
    delegate_build.build(host, tmp_path)
    assert one.stat().st_mtime_ns == before
    monkeypatch.setattr(delegate_build, "has_compiler", lambda: False)
    delegate_build.build(host, tmp_path)
    assert one.stat().st_mtime_ns > before


def test_missing_tools_are_named_with_the_extra(tmp_path, monkeypatch):
    cross = targets.resolve("aarch64-linux-gnu")
    monkeypatch.setattr(compilers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ValueError, match=r"aarch64-linux-gnu needs ziglang.*onexn\[build\]"
    ):
        delegate_build.build(cross, tmp_path)
    monkeypatch.setattr(delegate_build.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ValueError, match=r"needs cmake: pip install tfmot-onexn\[bu"):
        delegate_build.build(cross, tmp_path)


def test_a_failed_build_tells_the_first_error(tmp_path, monkeypatch):
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(x LANGUAGES NONE)\n"
        'message(FATAL_ERROR "no such thing")\n'
    )
    monkeypatch.setattr(delegate_build, "sources", lambda: sources)
    with pytest.raises(
        compilers.BuildError, match="for this machine with cmake failed: CMake Error"
    ) as raised:
        delegate_build.build(targets.resolve("host"), tmp_path / "build")
    assert "no such thing" in raised.value.log
    assert "\n" not in str(raised.value)


def test_android_needs_its_kit(tmp_path, monkeypatch):
    android = targets.resolve("aarch64-linux-android")
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match=r"needs the Android NDK, .* ANDROID_NDK_HOME"):
        delegate_build.build(android, tmp_path / "build")
    monkeypatch.setenv("ANDROID_NDK_ROOT", str(tmp_path))
    with pytest.raises(ValueError, match=r"ANDROID_NDK_ROOT is .* not the folder of"):
        delegate_build.build(android, tmp_path / "build")


def test_the_kits_toolchain_is_told_what_to_build(tmp_path, monkeypatch):
    """A kit that only notes what it is given; its compiler is this machine's."""
    toolchain = tmp_path / "kit" / "build" / "cmake" / "android.toolchain.cmake"
    toolchain.parent.mkdir(parents=True)
    toolchain.write_text(_OWN_TOOLCHAIN)
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path / "kit"))
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.18)\nproject(x LANGUAGES C)\n"
        "add_custom_target(onexn_delegate)\n"
    )
    monkeypatch.setattr(delegate_build, "sources", lambda: sources)
    delegate_build.build(targets.resolve("aarch64-linux-android"), tmp_path / "build")
    given = (tmp_path / "build" / "given.txt").read_text()
    assert given == "arm64-v8a android-24 none"
