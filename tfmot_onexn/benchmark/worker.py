"""A process that holds one artifact and times it on request.

One artifact per process, since thread pools disturb each other and models in one
process evict each other's weights from the cache. It reads one JSON object per line,
``{"warmup": w, "runs": r}``, and answers ``{"ms": [...], "cpu_s": s}``; the first line
it writes is ``{"ready": true}`` or ``{"error": "..."}``. The runtime is spelled as in
`interpreter.split_runtime`; without the delegate it is the stock one.
"""

import json
import os
import sys
import time

import numpy as np

from tfmot_onexn.tflite import interpreter as interpreter_lib


def main(path: str, runtime: str, threads: int) -> None:
    """Serves requests from standard input until it closes."""
    # runtimes print notes on stdout and stderr; answers go to the real stdout
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values) -> None:
        print(json.dumps(values), file=answers)

    try:
        name, with_delegate = interpreter_lib.split_runtime(runtime)
        # options, even none, make a delegate that is missing an error
        delegate: interpreter_lib.Delegate = {} if with_delegate else False
        loaded = interpreter_lib.load_interpreter(
            path, runtime=name, delegate=delegate, num_threads=threads
        )
    except (ValueError, RuntimeError) as error:
        answer(error=str(error))
        return
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        image = rng.normal(size=details["shape"]).astype(details["dtype"])
        loaded.set_tensor(details["index"], image)
    answer(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        cpu = time.process_time()
        for _ in range(request["warmup"]):
            loaded.invoke()
        milliseconds = []
        for _ in range(request["runs"]):
            start = time.perf_counter_ns()
            loaded.invoke()
            milliseconds.append((time.perf_counter_ns() - start) / 1e6)
        answer(ms=milliseconds, cpu_s=time.process_time() - cpu)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
