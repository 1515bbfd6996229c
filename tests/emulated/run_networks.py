"""Runs networks in this machine's LiteRT, alone and with the delegate.

    python run_networks.py FOLDER [LIBRARY]

compares what comes out with what `make_networks.py` put beside them, and adds a row of
each to FOLDER/rows.jsonl. Beside LiteRT, or TFLite, and NumPy it needs nothing, so that
an emulated machine can run it.

XNNPACK's sparse kernels add up in another order than its dense ones, so the results of
the sparse and the dense file of a network differ by rounding where they run, and are
equal to the bit where they do not.
"""

import json
import pathlib
import platform
import sys

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, load_delegate

    RUNTIME = "LiteRT"
except ImportError:
    from tflite_runtime.interpreter import Interpreter, load_delegate

    RUNTIME = "TFLite"

TOLERANCE = 1e-4  # of one runtime or processor to another, after 50 layers
# where XNNPACK's sparse inference is on
SPARSE = ("LiteRT", "prepared")


def output(path, image, threads=1, delegates=None):
    loaded = Interpreter(
        str(path), num_threads=threads, experimental_delegates=delegates
    )
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    return loaded.get_tensor(loaded.get_output_details()[0]["index"])


class Machine:
    """Runs networks, collects rows and what is wrong."""

    def __init__(self, folder):
        self.folder = folder
        self.rows = []
        self.wrong = []

    def add(self, name, way, found, expected, **facts):
        error = float(np.abs(found - expected).max() / np.abs(expected).max())
        row = {"network": name, "processor": platform.machine(), "runtime": RUNTIME}
        self.rows.append({**row, "way": way, "error": error, **facts})
        print(json.dumps(self.rows[-1]), flush=True)
        if not error <= TOLERANCE:
            self.wrong.append(f"{name}, {way}: {error}, at most {TOLERANCE}")

    def stock(self, path, image, expected):
        sparse, dense = (
            output(path.with_suffix(f".{kind}.tflite"), image)
            for kind in ("sparse", "dense")
        )
        mode = "off" if np.array_equal(sparse, dense) else "on"
        name, kind = path.stem.rsplit("-", 1)
        way = "for xnnpack" if kind == "prepared" else "stock"
        self.add(name, way, sparse, expected, mode=mode)
        if (mode == "on") != ((RUNTIME, kind) == SPARSE):
            self.wrong.append(f"{name}, {way}: sparse mode {mode}")

    def delegate(self, library, path, image, expected):
        for kernel in ("auto", "reference"):
            for threads in (1, 2):
                verdicts = self.folder / "verdicts.jsonl"
                options = {"kernel": kernel, "cost_gate": "off", "verdicts": verdicts}
                delegate = load_delegate(
                    library, {key: str(value) for key, value in options.items()}
                )
                file = path.with_suffix(".sparse.tflite")
                found = output(file, image, threads, [delegate])
                lines = [json.loads(line) for line in verdicts.read_text().splitlines()]
                claimed = [line for line in lines if line["claimed"]]
                name = path.stem.removesuffix("-plain")
                way = f"delegate, {kernel}, {threads} threads"
                facts = {"claimed": len(claimed), "layers": len(lines)}
                self.add(name, way, found, expected, **facts)
                isa = "neon" if kernel == "auto" else "reference"
                kernels = sorted({line["kernel"] for line in claimed})
                if not kernels or any(not k.endswith(f"__{isa}") for k in kernels):
                    self.wrong.append(f"{name}, {way}: kernels {kernels}")
                dense = sum("stored dense" in line["reason"] for line in lines)
                if len(claimed) + dense != len(lines):
                    self.wrong.append(
                        f"{name}, {way}: not all that are sparse: {lines}"
                    )


def main(folder: pathlib.Path, library: str | None = None) -> None:
    machine = Machine(folder)
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as arrays:
            image, expected = arrays["image"], arrays["expected"]
        machine.stock(path, image, expected)
        if library is not None and path.stem.endswith("-plain"):
            machine.delegate(library, path, image, expected)
    with (folder / "rows.jsonl").open("a") as rows:
        rows.writelines(json.dumps(row) + "\n" for row in machine.rows)
    if machine.wrong:
        sys.exit("\n".join(machine.wrong))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), *sys.argv[2:])
