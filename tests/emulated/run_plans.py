"""Runs plans on emulated processors, through the program that measures them.

    python tests/emulated/run_plans.py FOLDER

builds them in FOLDER for each, of small modules and of the networks that
`make_networks.py` wrote into FOLDER/networks, and compares what they compute with NumPy
and this machine. Of networks, it adds rows to FOLDER/networks/rows.jsonl.
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

from tfmot_onexn import targets
from tfmot_onexn.tvm import frontend, plan, processors, rewrite

# programs need no library, so the emulators need no system
_EMULATORS = {
    "aarch64-linux-gnu": ["qemu-aarch64-static", "-cpu", "cortex-a76"],
    "armv7-linux-gnueabihf": ["qemu-arm-static", "-cpu", "cortex-a15"],
}
_TOLERANCE = 1e-5


def run(network: relax_modules.Network, name: str, folder: pathlib.Path) -> float:
    """Builds for a target, runs there with one and three threads, and compares.

    Returns:
      The largest difference, over the largest output.
    """
    errors = []
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
            errors.append(float(error))
            print(f"{name}, {threads} threads, {path.name}: {error:.1e}")
            if not error < _TOLERANCE:
                sys.exit(f"{name} computes something else: {found} for {expected}")
            path.unlink()
    return max(errors)


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
    with np.load(file.with_name(file.name.replace(".sparse.tflite", ".npz"))) as arrays:
        image, expected = arrays["image"], arrays["expected"]
    module = rewrite.rewrite(frontend.load(file), tile).module
    return relax_modules.Network(module, [image], [expected])


def main(folder: pathlib.Path) -> None:
    top = folder / "plans"
    shutil.rmtree(top, ignore_errors=True)
    rows = []
    for name in _EMULATORS:
        for make in (relax_modules.network, relax_modules.several):
            place = top / f"{name}-{make.__name__}"
            place.mkdir(parents=True)
            run(make(), name, place)
        for file in sorted((folder / "networks").glob("*-plain.sparse.tflite")):
            network = file.name.removesuffix("-plain.sparse.tflite")
            place = top / f"{name}-{network}"
            place.mkdir(parents=True)
            error = run(whole(file, name), name, place)
            processor = targets.resolve(name).processor
            row = {"network": network, "processor": processor, "runtime": "none"}
            rows.append({**row, "way": "plan", "error": error})
    refuse(relax_modules.network(), top / "x86-64-v3")
    with (folder / "networks" / "rows.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
