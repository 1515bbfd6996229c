"""The examples run as they stand."""

import pathlib
import re
import runpy
import shutil
import subprocess
import sys

import numpy as np
import pytest
from graphs import small_network
from PIL import Image

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import plan_runtime
from tfmot_onexn.tvm.build import build_tvm

EXAMPLES = pathlib.Path(__file__).parents[1] / "examples"


def run(name, *arguments):
    """Runs an example as a user does."""
    return subprocess.run(
        [sys.executable, str(EXAMPLES / name), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.fixture
def run_here(monkeypatch, capsys, short_search):
    """Runs an example in this process, with a short search."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_prune_and_convert(tmp_path, run_here):
    path = tmp_path / "digits.tflite"
    output = run_here("prune_and_convert.py", "--epochs", 4, "--output", path)
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
def test_fine_tune_on_folder(tmp_path, rng, run_here):
    for name, colour in (("red", 0), ("green", 1), ("blue", 2)):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(20):
            pixels = rng.integers(0, 128, (32, 32, 3), np.uint8)
            pixels[..., colour] += 127
            Image.fromarray(pixels).save(folder / f"{index}.jpg")
    path = tmp_path / "folder.tflite"
    settings = ("--size", 32, "--alpha", 0.25, "--epochs", 12, "--batch-size", 8)
    output = run_here(
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


@pytest.mark.skipif(shutil.which("cc") is None, reason="cc is not installed")
def test_run_plan(tmp_path, rng):
    file, folder, program = (tmp_path / name for name in ("m.tflite", "plan", "run"))
    convert.convert_to_tflite(randomize(small_network()), file)
    build_tvm(file, folder, format="plan")
    flags = f"-Wall -Werror -I{folder} -L{folder} -lplan -Wl,-rpath,{folder}".split()
    subprocess.run(["cc", EXAMPLES / "run_plan.c", *flags, "-o", program], check=True)
    with plan_runtime.Plan(folder) as plan:
        x = rng.normal(size=plan.inputs[0].shape).astype(np.float32)
        [expected] = plan.run(x)
    image = tmp_path / "image.bin"
    image.write_bytes(x.tobytes())

    def call(*arguments):
        done = subprocess.run([program, *arguments], capture_output=True, text=True)
        return done.returncode, done.stdout, done.stderr

    best = expected.argmax()
    assert call(folder, image) == (0, f"{best} {expected.flat[best]:.6f}\n", "")
    image.write_bytes(x.tobytes()[:-4])
    assert call(folder, image) == (1, "", "the input is too short\n")
    code, _, message = call(tmp_path, image)
    assert code == 1
    assert str(tmp_path) in message


def test_every_example_has_a_test():
    here = pathlib.Path(__file__).read_text()
    for example in (*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*.c")):
        assert f'"{example.name}"' in here
