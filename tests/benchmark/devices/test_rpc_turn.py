import json

import pytest
import rpc_servers

from tfmot_onexn.benchmark.devices import rpc_turn
from tfmot_onexn.tvm import rpc_runtime


class Machine:
    def __init__(self, error=None):
        self._error = error

    def load(self, path, threads):
        assert (path, threads) == ("m.so", 2)
        return self

    def milliseconds(self, runs, warmup):
        if self._error:
            raise self._error
        return [1.5] * runs


ARGUMENTS = ("host", "9090", "m.so", "2", "3", "4")


def test_it_prints_the_times(monkeypatch, capsys):
    monkeypatch.setattr(rpc_runtime, "Session", lambda *arguments: Machine())
    rpc_turn.main(*ARGUMENTS)
    assert json.loads(capsys.readouterr().out) == {"ms": [1.5] * 4}


def test_it_tells_what_failed_in_a_line(monkeypatch):
    error = RuntimeError("a trace\nof many lines\n\nthe reason\n")
    monkeypatch.setattr(rpc_runtime, "Session", lambda *arguments: Machine(error))
    with pytest.raises(SystemExit, match=r"^the reason$"):
        rpc_turn.main(*ARGUMENTS)


def test_a_machine_that_is_not_there_has_an_exit_code_of_its_own(capsys):
    with pytest.raises(SystemExit) as caught:
        rpc_turn.main("127.0.0.1", str(rpc_servers.free_port()), *ARGUMENTS[2:])
    assert caught.value.code == rpc_turn.UNREACHABLE
    assert "refused" in capsys.readouterr().err
