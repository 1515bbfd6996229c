"""Runs a plan on emulated processors, through the program that measures it.

    python tests/emulated/run_plans.py FOLDER

builds it in FOLDER for each, and compares what it computes with NumPy and this machine.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys

os.environ.setdefault("TVM_BIND_THREADS", "0")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import numpy as np
import relax_modules
import tvm_networks

from tfmot_onexn import targets
from tfmot_onexn.tvm import frontend, plan, processors, rewrite

# programs need no library, so the emulators need no system
_EMULATORS = {
    "aarch64-linux-gnu": ["qemu-aarch64-static", "-cpu", "cortex-a76"],
    "armv7-linux-gnueabihf": ["qemu-arm-static", "-cpu", "cortex-a15"],
}
_TOLERANCE = 1e-5


def run(network: relax_modules.Network, name: str, folder: pathlib.Path) -> None:
    """Builds for a target, runs there with one and three threads, and compares."""
    target = processors.processor(name)[0]
    plan.write(network.module, target, targets.resolve(name), folder / "plan")
    command = [*_EMULATORS[name], str(folder / "plan" / "benchmark"), "--runs", "3"]
    for index, array in enumerate(network.inputs):
        array.tofile(folder / f"input_{index}")
        command += ["--input", str(folder / f"input_{index}")]
    outputs = [folder / f"output_{index}" for index in range(len(network.expected))]
    for path in outputs:
        command += ["--output", str(path)]
    for threads in ("1", "3"):
        told = subprocess.check_output([*command, "--threads", threads], text=True)
        assert json.loads(told)["target"] == name, told
        for path, expected in zip(outputs, network.expected, strict=True):
            found = np.fromfile(path, expected.dtype).reshape(expected.shape)
            error = np.abs(found - expected).max() / np.abs(expected).max()
            print(f"{name}, {threads} threads, {path.name}: {error:.1e}")
            if not error < _TOLERANCE:
                sys.exit(f"{name} computes something else: {found} for {expected}")
            path.unlink()


def refuse(network: relax_modules.Network, folder: pathlib.Path) -> None:
    """A processor without AVX2 must be told so."""
    name = "x86-64-v3"
    target = processors.processor(name)[0]
    plan.write(network.module, target, targets.resolve(name), folder)
    command = ["qemu-x86_64-static", "-cpu", "Nehalem", str(folder / "benchmark")]
    done = subprocess.run(command, text=True, capture_output=True)
    print(f"{name}: {done.stderr.strip()}")
    if done.returncode != 1 or "needs AVX2 and FMA" not in done.stderr:
        sys.exit(f"{name} runs where it cannot: {done}")


def whole(file: pathlib.Path, name: str) -> relax_modules.Network:
    """A network of a file, with the kernels of a target."""
    tile = processors.processor(name)[1]
    image = tvm_networks.image()
    return relax_modules.Network(
        rewrite.rewrite(frontend.load(file), tile).module,
        [image],
        [tvm_networks.stock(file, image)],
    )


if __name__ == "__main__":
    top = pathlib.Path(sys.argv[1], "plans")
    shutil.rmtree(top, ignore_errors=True)
    for emulated in _EMULATORS:
        for make in (relax_modules.network, relax_modules.several):
            place = top / f"{emulated}-{make.__name__}"
            place.mkdir(parents=True)
            run(make(), emulated, place)
        for network, n in (("mobilenet_v2", 16), ("mobilenet_v3_small", 4)):
            place = top / f"{emulated}-{network}"
            place.mkdir(parents=True)
            run(
                whole(tvm_networks.file_of(place, network, n), emulated),
                emulated,
                place,
            )
    refuse(relax_modules.network(), top / "x86-64-v3")
