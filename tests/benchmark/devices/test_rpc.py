import pytest
import rpc_servers

from tfmot_onexn.benchmark.devices import names, programs, turns
from tfmot_onexn.benchmark.devices.device import DeviceError
from tfmot_onexn.benchmark.devices.programs import Tools
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.tvm.build import build_tvm


@pytest.fixture(scope="module")
def server():
    """The name of a device on which TVM's server runs."""
    with rpc_servers.running() as port:
        yield f"rpc:127.0.0.1:{port}"


@pytest.fixture(scope="module")
def library(dense_file, tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "dense.so"
    build_tvm(dense_file, path)
    return path


def test_a_library_is_timed_over_rpc(server, library):
    untimed = [(Row("dense.so"), str(library), "tvm_vm")]
    with names.device(server) as device:
        (row,) = turns.time_rows(untimed, device, Tools(), threads=1, runs=6)
    assert (row.status, row.error, row.runs) == ("ok", None, 6)
    assert (row.device, row.runtime) == (server, "tvm_vm")
    assert 0 < row.p10_ms <= row.median_ms <= row.p90_ms


def test_a_damaged_library_fails_its_row(server, library, tmp_path):
    bad = tmp_path / "bad.so"
    bad.write_bytes(library.read_bytes()[1:])
    untimed = [(Row(p.name), str(p), "tvm_vm") for p in (bad, library)]
    with names.device(server) as device:
        failed, fine = turns.time_rows(untimed, device, Tools(), runs=1)
    assert (failed.status, fine.status) == ("failed", "ok")


def test_a_server_that_does_not_answer_is_lost(library):
    device = names.device(f"rpc:127.0.0.1:{rpc_servers.free_port()}")
    program = programs.program(str(library), "tvm_vm", 1, device, Tools(), "0")
    with pytest.raises(DeviceError, match=r"refused.*Start `python -m tvm\.exec") as e:
        device.run(program.words(1), 60)
    assert e.value.lost


def test_other_artifacts_are_refused(dense_file, plan_folder):
    device = names.device("rpc:127.0.0.1:9")
    for path, runtime in ((dense_file, "tflite"), (plan_folder, "tvm_plan")):
        with pytest.raises(DeviceError, match=r"libraries .* only\. Build one with"):
            programs.program(str(path), runtime, 1, device, Tools(), "0")
