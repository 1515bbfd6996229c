"""The examples run as they stand."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.slow
def test_fine_tune_on_folder(tmp_path, rng):
    for name, colour in (("red", 0), ("green", 1), ("blue", 2)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 128, (32, 32, 3), np.uint8)
            pixels[..., colour] += 127
            Image.fromarray(pixels).save(folder / f"{index}.jpg")
    path = tmp_path / "folder.tflite"
    settings = ("--size", 32, "--alpha", 0.25, "--epochs", 12, "--batch-size", 8)
    output = run(
        "fine_tune_on_folder.py", tmp_path / "images", *settings, "--output", path
    )
    (found,) = re.findall(r"([\d.]+) MB, dense it would be ([\d.]+) MB", output)
    assert path.stat().st_size / 1e6 < 0.75 * float(found[1])
    (right,) = re.findall(r"knows ([\d.]+)% of 12 test images", output)
    # chance is 33
    assert float(right) > 60


@pytest.mark.slow
def test_custom_training_loop(tmp_path):
    path = tmp_path / "loop.tflite"
    output = run("custom_training_loop.py", "--epochs", 4, "--output", path)
    zeros = [int(z) for z in re.findall(r"(\d+)% of the weights zero", output)]
    assert zeros[0] < zeros[1] < zeros[2] == zeros[3] == 75
    (found,) = re.findall(r"dense it would be (\d+) kB; knows (\d+) of 360", output)
    assert path.stat().st_size / 1e3 < 0.4 * float(found[0])
    assert int(found[1]) > 300


def test_every_example_has_a_test():
    here = pathlib.Path(__file__).read_text()
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in here
