"""The examples run as they stand."""

import pathlib
import re
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.slow
def test_prune_and_convert(tmp_path):
    path = tmp_path / "digits.tflite"
    output = run("prune_and_convert.py", "--epochs", 4, "--output", path)
    (right,) = re.findall(r"knows (\d+) of 360 test images", output)
    # chance is 36
    assert int(right) > 180
    assert path.exists()


@pytest.mark.slow
def test_from_keras3(tmp_path):
    path = tmp_path / "v2.tflite"
    output = run("from_keras3.py", "--output", path)
    (dense,) = re.findall(r"dense it would be ([\d.]+) MB", output)
    assert path.stat().st_size / 1e6 < 0.75 * float(dense)


def test_every_example_has_a_test():
    here = pathlib.Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in here
