"""What pip installs."""

import os
import pathlib
import re
import subprocess
import sys
import tomllib
import zipfile

import packaging.requirements
import pytest
from delegate_libraries import write_small

ROOT = pathlib.Path(__file__).parents[1]
LIBRARY = "tfmot_onexn/tflite/libonexn_delegate.so"
BUILD = "import sys, build_backend; build_backend.build_wheel(sys.argv[1])"


@pytest.fixture
def checkout(tmp_path):
    """A copy of what a source distribution would hold, with a delegate of one line."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in listed.stdout.splitlines():
        if not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            copy = tmp_path / "checkout" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes((ROOT / name).read_bytes())
    write_small(tmp_path / "checkout" / "tflite_delegate")
    return tmp_path / "checkout"


def build_wheel(checkout, **environment):
    """Calls the hook that pip calls."""
    return subprocess.run(
        [sys.executable, "-c", BUILD, str(checkout)],
        cwd=checkout,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def names_in(checkout):
    (wheel,) = checkout.glob("*.whl")
    return wheel, set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_a_wheel_brings_the_delegate_and_what_builds_it(checkout):
    done = build_wheel(checkout)
    assert done.returncode == 0, done.stderr
    wheel, names = names_in(checkout)
    assert "linux" in wheel.name
    assert LIBRARY in names
    sources = [
        path.relative_to(checkout / "tflite_delegate")
        for pattern in ("CMakeLists.txt", "*.map", "*.cc", "*.h", "kernels/*")
        for path in (checkout / "tflite_delegate").glob(pattern)
    ]
    assert len(sources) > 10
    brought = {name for name in names if "/delegate_sources/" in name}
    assert brought == {f"tfmot_onexn/tflite/delegate_sources/{x}" for x in sources}


@pytest.mark.slow
def test_a_wheel_for_a_target_has_its_library_and_tag(checkout):
    done = build_wheel(checkout, TFMOT_ONEXN_TARGET="aarch64-linux-gnu")
    assert done.returncode == 0, done.stderr
    wheel, _ = names_in(checkout)
    assert wheel.name.endswith("-py3-none-manylinux_2_17_aarch64.whl")
    header = zipfile.ZipFile(wheel).read(LIBRARY)[:20]
    assert int.from_bytes(header[18:20], "little") == 183  # of 64-bit ARM


@pytest.mark.slow
def test_an_installed_wheel_builds_for_other_machines(checkout, tmp_path):
    assert build_wheel(checkout).returncode == 0
    wheel, _ = names_in(checkout)
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    script = (
        "import pathlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tfmot_onexn import targets\n"
        "from tfmot_onexn.tflite import delegate_build\n"
        "assert delegate_build.__file__.startswith(sys.argv[1])\n"
        "target = targets.resolve('aarch64-linux-gnu')\n"
        "print(delegate_build.build(target, pathlib.Path(sys.argv[2])))\n"
    )
    folders = [str(tmp_path / "installed"), str(tmp_path / "build")]
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, *folders],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert pathlib.Path(done.stdout.strip()).exists()


@pytest.mark.slow
def test_a_delegate_that_cannot_be_built_stops_the_installation(checkout):
    broken = checkout / "tflite_delegate" / "small.cc"
    broken.write_text('#error "not today"\n')
    done = build_wheel(checkout)
    assert done.returncode != 0
    assert re.search(
        r'failed: .*small.cc.*error: .*"not today".*\n'
        r"Name another C\+\+17 compiler in CC and CXX, or set "
        r"TFMOT_ONEXN_WITHOUT_DELEGATE=1",
        done.stderr,
    )
    done = build_wheel(checkout, TFMOT_ONEXN_WITHOUT_DELEGATE="1")
    assert done.returncode == 0, done.stderr
    assert LIBRARY not in names_in(checkout)[1]


def test_a_compiler_is_asked_for_only_where_there_is_none(tmp_path):
    script = "import build_backend; print(build_backend.get_requires_for_build_wheel())"

    def asked(**environment):
        return subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **environment},
        ).stdout

    assert "ziglang" not in asked(CC="cc", CXX="c++")
    without = asked(PATH=str(tmp_path), CC="", CXX="")
    assert f"'{pins()['ziglang']}'" in without


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    return {line.split("==")[0].lower(): line for line in lines}


def test_what_builds_is_pinned_as_everything_else():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = document["build-system"]["requires"]
    assert len(required) == 3
    for requirement in required:
        assert requirement == pins()[requirement.split("==")[0]]
    for name in document["project"]["optional-dependencies"]["build"]:
        assert name in pins()


def test_the_extra_for_tvm_is_pinned_and_part_of_what_tests_and_pages_need():
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = document["project"]["optional-dependencies"]
    required = [packaging.requirements.Requirement(text) for text in extras["tvm"]]
    assert {each.name for each in required} == {
        *("apache-tvm", "apache-tvm-ffi", "tflite"),
    }
    for each in required:
        assert each.specifier.contains(pins()[each.name].split("==")[1])
    # later ones crash
    ffi = next(each for each in required if each.name == "apache-tvm-ffi")
    assert not ffi.specifier.contains("0.1.15.post2")
    assert "tfmot-onexn[build,tune,tvm]" in extras["dev"]
    assert "tfmot-onexn[tvm]" in extras["docs"]
