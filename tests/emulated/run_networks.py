"""Runs networks in this machine's stock LiteRT, without any delegate of ours.

XNNPACK's sparse kernels add up in another order than its dense ones, so the results of
the sparse and the dense file of a network differ by rounding where they run, and are
equal to the bit where they do not. Beside LiteRT and NumPy it needs nothing, so that an
emulated machine can run it.
"""

import pathlib
import platform
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

TOLERANCE = 1e-4  # of one processor to another, after 50 layers


def output(path, image):
    loaded = Interpreter(str(path), num_threads=1)
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    return loaded.get_tensor(loaded.get_output_details()[0]["index"])


def main(folder: pathlib.Path) -> None:
    wrong = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            image, expected = arrays["image"], arrays["expected"]
        sparse, dense = (
            output(path.with_suffix(f".{kind}.tflite"), image)
            for kind in ("sparse", "dense")
        )
        error = float(np.abs(sparse - expected).max() / np.abs(expected).max())
        mode = "off" if np.array_equal(sparse, dense) else "on"
        print(
            f"{platform.machine()}, {path.stem}: sparse mode {mode}, "
            f"{error:.1e} to the dense file on another machine"
        )
        if mode != ("on" if path.stem.endswith("-prepared") else "off"):
            wrong.append(f"{path.stem}: sparse mode {mode}")
        if not error <= TOLERANCE:
            wrong.append(f"{path.stem}: a difference of {error}, at most {TOLERANCE}")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
