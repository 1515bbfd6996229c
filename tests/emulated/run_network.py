"""Runs a network in this machine's LiteRT, with the delegate and without.

Beside LiteRT and NumPy it needs nothing, so that an emulated machine can run it.
"""

import json
import pathlib
import platform
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, load_delegate

TOLERANCE = 1e-4  # of one runtime to another, after 50 layers


def output(path, image, threads, delegates=None):
    loaded = Interpreter(
        str(path), num_threads=threads, experimental_delegates=delegates
    )
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    return loaded.get_tensor(loaded.get_output_details()[0]["index"])


def main(folder: pathlib.Path, library: str, isa: str) -> None:
    path = folder / "network.tflite"
    with np.load(folder / "network.npz") as arrays:
        image, expected = arrays["image"], arrays["expected"]

    def difference(found):
        return float(np.abs(found - expected).max() / np.abs(expected).max())

    print(f"{platform.machine()}, stock: {difference(output(path, image, 1)):.1e}")
    for kernel in ("auto", "reference"):
        for threads in (1, 2):
            verdicts = folder / "verdicts.jsonl"
            options = {"kernel": kernel, "cost_gate": "off", "verdicts": str(verdicts)}
            delegate = load_delegate(library, options)
            error = difference(output(path, image, threads, [delegate]))
            lines = [json.loads(line) for line in verdicts.read_text().splitlines()]
            kernels = {line["kernel"] for line in lines if line["claimed"]}
            claimed = sum(line["claimed"] for line in lines)
            print(
                f"{platform.machine()}, {kernel}, {threads} threads: {error:.1e}, "
                f"{claimed} of {len(lines)} layers claimed"
            )
            expected_isa = isa if kernel == "auto" else "reference"
            if not kernels or any(not k.endswith(f"__{expected_isa}") for k in kernels):
                sys.exit(f"kernels {sorted(kernels)}, expected those of {expected_isa}")
            dense = sum("stored dense" in line["reason"] for line in lines)
            if claimed < 30 or claimed + dense != len(lines):
                sys.exit(f"{claimed} layers claimed, expected all that are sparse")
            if not error <= TOLERANCE:
                sys.exit(f"a difference of {error}, expected {TOLERANCE}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3])
