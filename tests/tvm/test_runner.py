"""The runner under sanitizers, on damaged plans, with a kernel that touches all."""

import pathlib
import re
import subprocess

import numpy as np
import pytest

from tfmot_onexn.tvm.plan_file import encode
from tfmot_onexn.tvm.plan_link import RUNNER
from tfmot_onexn.tvm.plan_program import Call, Port, Program

_HERE = pathlib.Path(__file__).with_name("runner")
_ENVIRONMENT = {
    "ASAN_OPTIONS": "max_allocation_size_mb=64:allocator_may_return_null=1",
    "TSAN_OPTIONS": "max_allocation_size_mb=64:allocator_may_return_null=1",
}


def program():
    """Two calls, two dtypes, constants, a view and several ports."""
    result = Program()
    x = result.add((5, 7), "float32")
    y = result.add((3,), "int64")
    weights = result.add((40, 2), "float32", np.arange(80, dtype=np.float32))
    indices = result.add((11,), "int32", np.arange(11, dtype=np.int32))
    middle = result.add((300,), "float32")
    view = result.view(result.tensors[middle].buffer, (10, 30), "float32")
    last = result.add((2, 2), "float32")
    result.calls = [
        Call("touch", (x, weights, middle), 1),
        Call("again", (view, y, indices, last), 1),
        Call("touch", (last, weights, middle), 1),
    ]
    result.inputs = [Port("x", x), Port("other", y)]
    result.outputs = [Port("last", last), Port("view", view), Port("x", x)]
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sanitizers", "count", "threads"),
    [("address,undefined", 20000, 1), ("thread", 300, 3)],
)
def test_damaged_plans_do_no_harm(tmp_path, sanitizers, count, threads):
    files = encode(program(), 77)
    (tmp_path / "plan.bin").write_bytes(files.plan)
    (tmp_path / "weights.bin").write_bytes(files.weights)
    (tmp_path / "damaged").mkdir()
    fuzzer = tmp_path / "fuzz_plan"
    sources = [*RUNNER.glob("*.c"), *_HERE.glob("*.c")]
    subprocess.run(
        [
            *("cc", "-std=c11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"),
            f"-fsanitize={sanitizers}",
            "-fno-sanitize-recover=all",
            f"-I{RUNNER}",
            *(str(source) for source in sources if source.stem != "benchmark"),
            *("-o", str(fuzzer)),
        ],
        check=True,
    )
    told = subprocess.run(
        [str(fuzzer), str(tmp_path), str(count), "1", str(threads)],
        check=True,
        env=_ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    opened, ran = map(int, re.search(r"(\d+) opened, (\d+) ran", told).groups())
    assert 0 < ran <= opened < count
