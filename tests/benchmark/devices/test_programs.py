import pathlib

import pytest

from tfmot_onexn.benchmark.devices import names, programs
from tfmot_onexn.benchmark.devices.device import Device, DeviceError
from tfmot_onexn.benchmark.devices.programs import Tools

# of TensorFlow 2.14 and 2.19, shortened
OLD = """INFO: STARTING!
INFO: Running benchmark for at least 3 iterations and at least 0 seconds
count=3 first=3100 curr=3300 min=3100 max=3300 avg=3200 std=81
INFO: Running benchmark for at least 10 iterations and at least 0 seconds
count=10 first=3201 curr=3188 min=3150 max=3400 avg=3210.5 std=66
INFO: Inference timings in us: Init: 9000, Warmup (avg): 3200, Inference (avg): 3210.5
"""
NEW = OLD.replace("std=66", "std=66 p5=3150 median=3195 p95=3390")


class Recorder(Device):
    """Notes what it is asked for."""

    processor = "aarch64"

    def __init__(self):
        super().__init__("recorder")
        self.pushed, self.ran = {}, []

    def push(self, path, name):
        assert pathlib.Path(path).exists()
        self.pushed[name] = pathlib.Path(path)
        return f"/there/{name}"

    def run(self, words, timeout):
        self.ran.append(list(words))
        return ""

    def _make_folder(self):
        return "/there"

    def _remove_folder(self):
        pass


def test_a_plan_needs_no_runtime(plan_for):
    device = Recorder()
    plan = plan_for("aarch64-linux-gnu")
    found = programs.program(str(plan), "tvm_plan", 2, device, Tools(), "0")
    assert sorted(device.pushed) == ["0/benchmark", "0/plan.bin", "0/weights.bin"]
    assert device.ran == [["chmod", "+x", "/there/0/benchmark"]]
    assert found.words(7) == [
        *("/there/0/benchmark", "/there/0", "--threads", "2"),
        *("--runs", "7", "--warmup", "3"),
    ]
    assert found.milliseconds('{"ms": [1.5, 2]}\n') == [1.5, 2.0]
    with pytest.raises(DeviceError, match="No times in what it wrote: 'nothing'"):
        found.milliseconds("nothing")


def test_a_plan_for_another_processor_is_refused(plan_for):
    plan = plan_for("x86-64-v3")
    with pytest.raises(
        DeviceError, match=r"built for x86-64-v3 \(x86_64\), recorder is aarch64. Build"
    ):
        programs.program(str(plan), "tvm_plan", 1, Recorder(), Tools(), "0")


def test_a_file_runs_in_the_python_of_the_device(dense_file, tmp_path):
    library = tmp_path / "lib.so"
    library.touch()
    device, tools = Recorder(), Tools(delegate=library, python="python3.11")
    found = programs.program(str(dense_file), "tflite+delegate", 1, device, tools, "4")
    assert found.words(5) == [
        *("python3.11", "/there/4/litert_turn.py", "/there/4/model.tflite"),
        *("1", "3", "5", "/there/4/lib.so"),
    ]
    assert device.pushed["4/model.tflite"] == dense_file


@pytest.mark.parametrize(("output", "expected"), [(OLD, 3.2105), (NEW, 3.195)])
def test_a_file_runs_in_benchmark_model(dense_file, tmp_path, output, expected):
    program = tmp_path / "benchmark_model"
    program.touch()
    tools = Tools(benchmark_model=program)
    found = programs.program(str(dense_file), "tflite", 2, Recorder(), tools, "1")
    words = found.words(9)
    assert words[0] == "/there/1/benchmark_model"
    for word in ("--graph=/there/1/model.tflite", "--num_threads=2", "--num_runs=9"):
        assert word in words
    assert not any("delegate" in word for word in words)
    assert found.milliseconds(output) == pytest.approx([expected])
    with pytest.raises(DeviceError, match="No times"):
        found.milliseconds("count=none")


def test_what_is_missing_is_named_with_the_remedy(dense_file, plan_for, tmp_path):
    def refused(path, runtime, device):
        with pytest.raises(DeviceError) as caught:
            programs.program(str(path), runtime, 1, device, Tools(), "0")
        return str(caught.value)

    told = refused(dense_file, "tflite+delegate", Recorder())
    assert "onexn delegate --target aarch64-linux-gnu -o FILE" in told
    with names.device("qemu-armv7") as emulator:
        told = refused(dense_file, "tflite", emulator)
        assert "benchmark_model for armv7l with --benchmark-model PATH" in told
        told = refused(dense_file, "tflite+delegate", emulator)
        assert "--target armv7-linux-gnueabihf" in told
    plan = plan_for("aarch64-linux-gnu")
    (plan / "benchmark").unlink()
    assert "benchmark is missing" in refused(plan, "tvm_plan", Recorder())
    library = tmp_path / "m.so"
    library.write_bytes(b"\x7fELF")
    assert "Build a plan" in refused(library, "tvm_vm", Recorder())


def test_android_has_targets_of_its_own(monkeypatch):
    device = names.device("adb")
    monkeypatch.setattr(type(device), "processor", "aarch64")
    assert programs._target(device) == "aarch64-linux-android"
    monkeypatch.setattr(type(device), "processor", "mips")
    assert programs._target(device).startswith("one of ['x86-64-v3'")
