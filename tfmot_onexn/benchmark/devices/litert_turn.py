"""Times a `.tflite` file in LiteRT for one turn, and prints it as a line of JSON.

    python litert_turn.py FILE THREADS WARMUP RUNS [DELEGATE]

It is copied to a device and needs only NumPy there, and LiteRT or the older
tflite_runtime.
"""

import json
import sys
import time

import numpy as np


def main(path, threads, warmup, runs, library=None):
    try:
        from ai_edge_litert import interpreter as module
    except ImportError:
        try:
            from tflite_runtime import interpreter as module
        except ImportError:
            sys.exit("LiteRT is not installed here: pip install ai-edge-litert numpy")
    delegates = [module.load_delegate(library)] if library else None
    loaded = module.Interpreter(
        path, num_threads=int(threads), experimental_delegates=delegates
    )
    loaded.allocate_tensors()
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        image = rng.normal(size=details["shape"]).astype(details["dtype"])
        loaded.set_tensor(details["index"], image)
    for _ in range(int(warmup)):
        loaded.invoke()
    milliseconds = []
    for _ in range(int(runs)):
        start = time.perf_counter()
        loaded.invoke()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"ms": milliseconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
