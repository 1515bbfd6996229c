import pytest

from tfmot_onexn import targets
from tfmot_onexn.tflite import compilers


def test_compilers_are_found_as_cmake_does(tmp_path, monkeypatch):
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not compilers.has_compiler()
    for name in ("clang", "clang++"):
        (tmp_path / name).touch(mode=0o755)
    assert compilers.has_compiler()
    (tmp_path / "clang++").unlink()
    assert not compilers.has_compiler()
    monkeypatch.setenv("CXX", "/opt/bin/c++")
    assert compilers.has_compiler()


def test_zig_is_told_the_machine():
    armv7 = targets.resolve("armv7-linux-gnueabihf")
    cpu = "-mcpu=generic+v7a+neon+vfp4"
    assert compilers.zig_options(armv7) == ["-target", "arm-linux-gnueabihf.2.17", cpu]


@pytest.mark.parametrize(
    ("name", "triple"),
    [
        ("x86-64-v3", "x86_64-linux-musl"),
        ("armv7-linux-gnueabihf", "arm-linux-musleabihf"),
        ("aarch64-linux-android", "aarch64-linux-musl"),
    ],
)
def test_a_static_program_brings_its_c_library(name, triple):
    options = compilers.zig_options(targets.resolve(name), static=True)
    assert options[:2] == ["-target", triple]
    assert options[-1] == "-static"


def test_zig_is_part_of_an_extra(monkeypatch):
    target = targets.resolve("aarch64-linux-gnu")
    assert compilers.has_zig()
    assert compilers.zig_program(target, "it").endswith("/ziglang/zig")
    monkeypatch.setattr(compilers.importlib.util, "find_spec", lambda name: None)
    assert not compilers.has_zig()
    with pytest.raises(ValueError, match=r"it for aarch64-linux-gnu needs ziglang"):
        compilers.zig_program(target, "it")


def test_the_first_error_of_a_log_is_what_tells_most():
    assert (
        compilers.first_error("a\n\n b.c:1: error: no\nerror: 2") == "b.c:1: error: no"
    )
    linker = "/usr/bin/ld: cannot find -lm\ncollect2: error: ld returned 1 exit status"
    assert compilers.first_error(linker) == "/usr/bin/ld: cannot find -lm"
    alone = "clang: error: linker command failed with exit code 1"
    assert compilers.first_error(alone) == alone
    assert compilers.first_error("killed\n") == "killed"
    assert compilers.first_error("") == "no message"


def test_this_machine_may_have_a_compiler_of_its_own(tmp_path, monkeypatch):
    host = targets.resolve("host")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compilers.own_c_compiler(host) is None
    for name in ("clang", "gcc"):
        (tmp_path / name).touch(mode=0o755)
    assert compilers.own_c_compiler(host) == [str(tmp_path / "gcc")]
    monkeypatch.setenv("CC", "ccache 'my cc' -m64")
    assert compilers.own_c_compiler(host) == ["ccache", "my cc", "-m64"]
    assert compilers.own_c_compiler(targets.resolve("x86-64-v3")) is None


def test_a_compiler_that_fails_is_told_with_its_first_error():
    host = targets.resolve("host")
    compilers.run(["true"], "it", host)
    script = "echo one; echo 'a.c: error: two' >&2; exit 3"
    with pytest.raises(
        compilers.BuildError,
        match=r"^Building it for this machine with sh failed: a\.c: error: two$",
    ) as raised:
        compilers.run(["/bin/sh", "-c", script], "it", host)
    assert raised.value.log == "one\na.c: error: two\n"


def test_a_compiler_that_does_not_start_is_told_with_the_remedy():
    target = targets.resolve("x86-64-v3")
    with pytest.raises(
        compilers.BuildError,
        match="it for x86-64-v3 needs no-such-cc, which does not start: No such file",
    ):
        compilers.run(["no-such-cc"], "it", target)
