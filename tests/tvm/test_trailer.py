import json
import subprocess
import sys

import hypothesis
import pytest
from hypothesis import strategies

from tfmot_onexn.tvm import trailer

LIBRARY = b"\x7fELF" + bytes(range(256)) * 3
DESCRIPTION = {
    "format": "vm",
    "target": "host",
    "model": "small",
    "inputs": [{"name": "x", "shape": [1, 8, 8, 3], "dtype": "float32"}],
    "outputs": [{"name": "y", "shape": [1, 4], "dtype": "float32"}],
    "row": {"variant": "onexn", "n": 8, "sparsity": 0.5},
}


@pytest.fixture
def build(tmp_path):
    """A file with a description."""
    path = tmp_path / "build.so"
    path.write_bytes(LIBRARY)
    trailer.append(path, DESCRIPTION)
    return path


def test_a_description_comes_back_and_the_library_stays(build):
    found = trailer.read(build)
    assert found["schema"] == 1
    assert {key: found[key] for key in DESCRIPTION} == DESCRIPTION
    content = build.read_bytes()
    assert content.startswith(LIBRARY)
    assert content.endswith(b"ONEXNTVM")
    length = int.from_bytes(content[-16:-8], "little")
    assert json.loads(content[-16 - length : -16]) == found
    assert len(content) == len(LIBRARY) + length + 16


def test_a_library_is_told_by_its_name_or_its_first_bytes(build, tmp_path):
    assert trailer.is_library(build)
    assert trailer.is_library("missing.so")
    assert trailer.is_library(build.rename(tmp_path / "build"))
    (tmp_path / "a.tflite").write_bytes(b"\x00\x00\x00\x00TFL3")
    assert not trailer.is_library(tmp_path / "a.tflite")
    assert not trailer.is_library(tmp_path)
    assert not trailer.is_library("missing.tflite")


@pytest.mark.parametrize("key", sorted(DESCRIPTION))
def test_an_incomplete_description_is_not_written(tmp_path, key):
    path = tmp_path / "build.so"
    path.write_bytes(LIBRARY)
    with pytest.raises(ValueError, match=f"no '{key}' of the right kind"):
        trailer.append(path, {k: v for k, v in DESCRIPTION.items() if k != key})
    assert path.read_bytes() == LIBRARY


def test_a_file_that_is_no_build_is_refused_with_the_remedy(tmp_path):
    path = tmp_path / "b.so"
    with pytest.raises(ValueError, match=r"Cannot read .*b\.so: No such file"):
        trailer.read(path)
    path.write_text("no library at all, but a long text")
    with pytest.raises(ValueError, match=r"b\.so is no TVM build: .* `onexn build"):
        trailer.read(path)
    path.write_bytes(LIBRARY)
    with pytest.raises(ValueError, match=r"b\.so is no TVM build .*missing at the end"):
        trailer.read(path)


def with_description(path, **changed):
    document = {"schema": 1, "sha256": "0", **DESCRIPTION, **changed}
    written = json.dumps(document).encode()
    end = len(written).to_bytes(8, "little") + b"ONEXNTVM"
    path.write_bytes(LIBRARY + written + end)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"schema": 2}, "has schema 2, this version reads 1"),
        ({"inputs": None}, "no 'inputs' of the right kind"),
        ({"outputs": [{"name": "y"}]}, "a tensor of its description lacks one of"),
        ({}, "another checksum"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(tmp_path, changed, message):
    with_description(tmp_path / "b.so", **changed)
    with pytest.raises(
        ValueError, match=rf"b\.so is damaged: .*{message}.*Build it again"
    ):
        trailer.read(tmp_path / "b.so")


def test_a_length_beyond_the_file_is_refused(build):
    content = build.read_bytes()
    build.write_bytes(content[:-16] + b"\xff" * 8 + content[-8:])
    with pytest.raises(ValueError, match=r"longer than the file.* Build it again"):
        trailer.read(build)


@hypothesis.settings(
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture]
)
@hypothesis.given(place=strategies.integers(0, 10**6), flip=strategies.integers(1, 255))
def test_any_damaged_byte_is_an_error_and_nothing_else(build, place, flip):
    whole = build.read_bytes()
    damaged = bytearray(whole)
    damaged[place % len(whole)] ^= flip
    build.write_bytes(damaged)
    try:
        # a name inside the description may change unseen
        assert trailer.read(build)["schema"] == 1
        assert place % len(whole) > len(LIBRARY)
    except ValueError as error:
        assert str(build) in str(error)
    finally:
        build.write_bytes(whole)


def test_any_cut_is_an_error(build):
    whole = build.read_bytes()
    for size in range(0, len(whole), 7):
        build.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"build\.so is no TVM build"):
            trailer.read(build)


def test_reading_needs_no_tvm():
    code = (
        "import sys; from tfmot_onexn.tvm import trailer;"
        "assert not {'tvm', 'tensorflow', 'tflite'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
