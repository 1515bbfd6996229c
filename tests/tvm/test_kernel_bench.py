import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from tvm.tirx.script.builder import ir as build

from tfmot_onexn import targets
from tfmot_onexn.tvm import kernel_bench, processors, tune
from tfmot_onexn.tvm.kernels import tir
from tfmot_onexn.tvm.kernels.product import Product

KERNEL = Product((1, 3, 4, 8), 5, 4, 6)
TARGET, TILE = processors.processor("host")


@pytest.fixture(scope="module")
def port():
    """Of an RPC server on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = free.getsockname()[1]
    command = [sys.executable, "-m", "tvm.exec.rpc_server", "--host", "127.0.0.1"]
    ports = ["--port", str(number), "--port-end", str(number + 1)]
    server = subprocess.Popen(
        [*command, *ports],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # it starts others, which end with it
        start_new_session=True,
    )
    for _ in range(300):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", number)),
        ):
            break
        time.sleep(0.1)
    yield number
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def local(port):
    return kernel_bench.Local(TARGET)


def remote(port):
    return kernel_bench.Remote(TARGET, targets.resolve("host"), "127.0.0.1", port)


@pytest.mark.parametrize("bench", [local, remote])
def test_kernels_are_run_and_timed(bench, port, rng):
    functions = {name: KERNEL.function(name, TILE) for name in ("one", "two")}
    x, data, indices, indptr, bias, y = tune.arrays(KERNEL, functions["one"], rng)
    expected = np.zeros((12, 8)) + bias
    for row in range(2):
        for z in range(indptr[row], indptr[row + 1]):
            pixels = x.reshape(12, 5)[:, indices[z], None]
            expected[:, 4 * row : 4 * row + 4] += pixels * data[z, 0]
    given = [x, data, indices, indptr, bias, y]
    with bench(port).load(functions, given) as loaded:
        for name in functions:
            found = loaded.run(name).reshape(12, 8)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
            assert all(0 < seconds < 1 for seconds in loaded.seconds(name))


@pytest.mark.parametrize("bench", [local, remote])
def test_one_kernel_after_another(bench, port, rng):
    there = bench(port)
    for kernel in (KERNEL, Product((1, 2, 2, 4), 3, 4, 2), KERNEL):
        function = kernel.function("same", TILE)
        given = tune.arrays(kernel, function, rng)
        with there.load({"same": function}, given) as loaded:
            assert loaded.run("same").shape == kernel.shape


def test_what_fails_on_the_device_is_told(port, rng, monkeypatch):
    there = remote(port)
    monkeypatch.setattr(kernel_bench.linking, "link", lambda _, path, __: path.touch())
    function = KERNEL.function("kernel", TILE)
    given = tune.arrays(KERNEL, function, rng)
    message = rf"Kernels for host failed at 127.0.0.1:{port}: .*\. Is that its target"
    with (
        pytest.raises(ValueError, match=message),
        there.load({"kernel": function}, given),
    ):
        pass


def test_what_a_kernel_does_not_write_is_no_number():
    def write_first(y):
        tir.store(y, 0, build.float32(1), 1)

    writer = tir.function("writer", {"y": ((4,), "float32")}, write_first)
    with local(None).load({"writer": writer}, [np.zeros(4, np.float32)]) as loaded:
        np.testing.assert_array_equal(loaded.run("writer"), [1, *3 * [np.nan]])


def test_a_device_that_is_not_there_is_told():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ValueError, match=r"No RPC server answers at 127.0.0.1:\d+; st"):
        remote(port)
