import pytest
import rpc_servers
from graphs import small_network

from tfmot_onexn.tflite import convert
from tfmot_onexn.tvm import rpc_runtime
from tfmot_onexn.tvm.build import build_tvm


@pytest.fixture(scope="module")
def session():
    with rpc_servers.running() as port:
        yield rpc_runtime.Session("127.0.0.1", port, 60)


def test_a_library_runs_there(session, tmp_path):
    convert.convert_to_tflite(small_network(), tmp_path / "m.tflite")
    build_tvm(tmp_path / "m.tflite", tmp_path / "m.so")
    machine = session.load(tmp_path / "m.so", 1)
    times = machine.milliseconds(4, 2)
    assert len(times) == 4
    assert min(times) > 0


def test_what_is_no_build_is_refused_before_it_is_sent(session, tmp_path):
    path = tmp_path / "m.so"
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"m\.so"):
        session.load(path, 1)


def test_nobody_answers():
    with pytest.raises(OSError, match="refused"):
        rpc_runtime.Session("127.0.0.1", rpc_servers.free_port(), 5)
