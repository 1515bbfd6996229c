"""A process that holds one artifact and times it on request.

One artifact per process, since thread pools disturb each other and models in one
process evict each other's weights from the cache. It reads one JSON object per line,
``{"warmup": w, "runs": r}``, and answers ``{"ms": [...], "cpu_s": s}``; the first line
it writes is ``{"ready": true}`` or ``{"error": "..."}``. The runtime is spelled as in
`runtimes.split`; without the delegate it is the stock one.
"""

import json
import os
import sys
import time
from collections.abc import Callable

import numpy as np

from tfmot_onexn.benchmark import runtimes
from tfmot_onexn.tflite import interpreter as interpreter_lib
from tfmot_onexn.tvm import plan_runtime, vm_runtime


def main(path: str, runtime: str, threads: int) -> None:
    """Serves requests from standard input until it closes."""
    # runtimes print notes on stdout and stderr; answers go to the real stdout
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values) -> None:
        print(json.dumps(values), file=answers)

    try:
        name, with_delegate = runtimes.split(runtime)
        if name == runtimes.TVM_VM:
            invoke = _virtual_machine(path, threads)
        elif name == runtimes.TVM_PLAN:
            invoke = _plan(path, threads)
        else:
            invoke = _tflite(path, name, with_delegate, threads)
    except (ValueError, RuntimeError) as error:
        answer(error=str(error))
        return
    answer(ready=True)
    for line in sys.stdin:
        request = json.loads(line)
        cpu = time.process_time()
        for _ in range(request["warmup"]):
            invoke()
        milliseconds = []
        for _ in range(request["runs"]):
            start = time.perf_counter_ns()
            invoke()
            milliseconds.append((time.perf_counter_ns() - start) / 1e6)
        answer(ms=milliseconds, cpu_s=time.process_time() - cpu)


def _tflite(
    path: str, runtime: str, with_delegate: bool, threads: int
) -> Callable[[], None]:
    """Returns what runs a `.tflite` file on random numbers."""
    # options, even none, make a delegate that is missing an error
    delegate: interpreter_lib.Delegate = {} if with_delegate else False
    loaded = interpreter_lib.load_interpreter(
        path, runtime=runtime, delegate=delegate, num_threads=threads
    )
    rng = np.random.default_rng(0)
    for details in loaded.get_input_details():
        image = rng.normal(size=details["shape"]).astype(details["dtype"])
        loaded.set_tensor(details["index"], image)
    return loaded.invoke


def _plan(path: str, threads: int) -> Callable[[], None]:
    """Returns what runs a plan on random numbers."""
    loaded = plan_runtime.Plan(path, threads)
    rng = np.random.default_rng(0)
    for port in loaded.inputs:
        port.array[...] = rng.normal(size=port.shape)
    return loaded.invoke


def _virtual_machine(path: str, threads: int) -> Callable[[], None]:
    """Returns what runs a library on random numbers in TVM's virtual machine."""
    loaded = vm_runtime.load(path, threads)
    rng = np.random.default_rng(0)
    loaded.set_inputs(
        [rng.normal(size=each["shape"]).astype(each["dtype"]) for each in loaded.inputs]
    )
    return loaded.invoke


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
