import shutil
import sys

import pytest

from tfmot_onexn.benchmark import artifacts
from tfmot_onexn.benchmark.devices import difference, names, turns
from tfmot_onexn.benchmark.devices.device import DeviceError
from tfmot_onexn.benchmark.devices.programs import Tools
from tfmot_onexn.benchmark.rows import Row
from tfmot_onexn.tflite import delegate
from tfmot_onexn.tvm.build import build_tvm


def rows_of(device, *jobs, **settings):
    untimed = [(artifacts.row_of(path), str(path), name) for path, name in jobs]
    tools = Tools(delegate=delegate.packaged(), python=sys.executable)
    return turns.time_rows(untimed, device, tools, **settings)


def test_everything_runs_over_ssh(ssh, dense_file, plan_folder):
    stock, ours, plan = rows_of(
        ssh,
        (dense_file, "tflite"),
        (dense_file, "tflite+delegate"),
        (plan_folder, "tvm_plan"),
        runs=2,
    )
    for row in (stock, ours, plan):
        assert (row.status, row.error, row.runs) == ("ok", None, 2)
        assert row.device == "ssh:127.0.0.1"
        assert 0 < row.p10_ms <= row.median_ms <= row.p90_ms
    assert (stock.runtime, stock.delegate) == ("tflite", None)
    assert (ours.runtime, ours.delegate) == ("tflite", "onexn")
    assert plan.runtime == "tvm_plan"
    assert stock.speedup == 1.0


def test_a_row_that_fails_leaves_the_others(ssh, dense_file, tmp_path):
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(dense_file.read_bytes()[:100])
    failed, fine = rows_of(ssh, (bad, "tflite"), (dense_file, "tflite"), runs=2)
    assert failed.status == "failed"
    assert "bad.tflite is damaged" in failed.error
    assert fine.status == "ok"


class Losing:
    """Another device, until it has run some programs."""

    def __init__(self, device, after):
        self._device, self._left = device, after

    def __getattr__(self, name):
        return getattr(self._device, name)

    def run(self, words, timeout):
        if words[0] == sys.executable:
            self._left -= 1
        if self._left < 0:
            raise DeviceError("the cable is out", lost=True)
        return self._device.run(words, timeout)


def test_a_lost_device_leaves_what_was_measured(ssh, dense_file):
    jobs = [(dense_file, "tflite"), (dense_file, "tflite+delegate")]
    first, second = rows_of(Losing(ssh, 3), *jobs, runs=10)
    assert {first.status, second.status} == {"failed"}
    done = {first.runs, second.runs}
    assert done == {2, 4}
    assert first.error == f"the cable is out (after {first.runs} of 10 runs)"
    assert first.median_ms > 0


def test_an_emulator_tells_no_times(monkeypatch, ssh, dense_file):
    monkeypatch.setattr(type(ssh), "emulated", True)
    (row,) = rows_of(ssh, (dense_file, "tflite"), runs=50)
    assert (row.status, row.emulated, row.runs) == ("ok", True, 2)
    assert row.median_ms is row.p10_ms is row.speedup is None


def test_a_row_that_cannot_be_read_is_not_run(ssh):
    row = Row("a.tflite", status="failed", error="it is damaged")
    (found,) = turns.time_rows([(row, "a.tflite", "tflite")], ssh, Tools(), runs=1)
    assert (found.status, found.error, found.runs) == ("failed", "it is damaged", 0)


@pytest.mark.parametrize("runs", [1, 8])
def test_runs_are_shared_among_turns(ssh, dense_file, runs):
    (row,) = rows_of(ssh, (dense_file, "tflite"), runs=runs)
    assert row.runs == runs


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("qemu-aarch64-static") is None, reason="qemu is not installed"
)
@pytest.mark.parametrize(
    ("device", "target"),
    [
        ("qemu-aarch64", "aarch64-linux-gnu"),
        ("qemu-armv7", "armv7-linux-gnueabihf"),
    ],
)
def test_a_plan_runs_on_an_emulated_processor(
    monkeypatch, dense_file, tmp_path, device, target
):
    build_tvm(dense_file, tmp_path / "plan", target=target, format="plan")
    with names.device(device) as emulator:
        (row,) = rows_of(emulator, (tmp_path / "plan", "tvm_plan"))
        assert (row.status, row.error, row.emulated) == ("ok", None, True)
        assert row.target == target
        assert row.difference is None
        jobs = [(tmp_path / "plan", "tvm_plan"), (dense_file, "tflite")]
        row, stock = rows_of(emulator, *jobs)
        assert (row.status, row.error) == ("ok", None)
        assert 0 < row.difference < 1e-5
        assert stock.status == "failed"
        # the same network with other weights
        monkeypatch.setattr(difference, "_stock", moved(difference._stock))
        row, _ = rows_of(emulator, *jobs)
    assert row.status == "failed"
    assert "off what dense.tflite computes here, at most 1e-04" in row.error


def moved(stock):
    """What stock TFLite makes of other weights."""

    def other(file):
        inputs, outputs = stock(file)
        return inputs, [1.01 * output for output in outputs]

    return other
