import subprocess

import pytest
import relax_modules
import tvm
from tvm import relax
from tvm.tirx.script.builder import ir

from tfmot_onexn import targets
from tfmot_onexn.tflite import compilers
from tfmot_onexn.tvm import linking, processors
from tfmot_onexn.tvm.kernels import tir


@pytest.fixture(scope="module")
def executable():
    target, _ = processors.processor("host")
    return tvm.compile(relax_modules.network().module, target)


def test_a_linked_library_computes(executable, tmp_path):
    path = tmp_path / "model.so"
    linking.link(executable, path, targets.resolve("host"))
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(path)), tvm.cpu())
    network = relax_modules.network()
    found = machine["main"](*(tvm.runtime.tensor(each) for each in network.inputs))
    assert abs(found.numpy() - network.expected[0]).max() < 1e-4


def test_zig_links_where_there_is_no_compiler(executable, tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compilers.shutil, "which", lambda name: None)
    linking.link(executable, tmp_path / "model.so", targets.resolve("host"))
    assert (tmp_path / "model.so").read_bytes()[:4] == b"\x7fELF"


def test_a_compiler_may_be_given_with_options(executable, tmp_path, monkeypatch):
    monkeypatch.setenv("CC", "cc -Wl,-soname,given.so")
    linking.link(executable, tmp_path / "model.so", targets.resolve("host"))
    assert b"\0given.so\0" in (tmp_path / "model.so").read_bytes()


def test_32_bit_arm_has_what_it_divides_with(tmp_path):
    def body(x, y):
        with ir.serial(0, 4) as i:
            ir.buffer_store(y, ir.truncdiv(x[i], x[i + 4]), [i])

    parameters = {"x": ((8,), "int32"), "y": ((4,), "int32")}
    kernel = tir.function("divide", parameters, body)
    name = "armv7-linux-gnueabihf"
    target, _ = processors.processor(name)
    executable = tvm.compile(tvm.IRModule({"divide": kernel}), target)
    linking.link(executable, tmp_path / "model.so", targets.resolve(name))
    undefined = printed("nm", "-D", "--undefined-only", str(tmp_path / "model.so"))
    # of TVM's runtime there is more
    assert "TVM" in undefined
    assert "__divsi3" not in undefined
    assert "__divsi3" in printed("nm", "-D", str(tmp_path / "model.so"))


def printed(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_what_cannot_be_linked_is_told(executable, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"aarch64-linux-android would need TVM's own"):
        linking.link(
            executable, tmp_path / "a.so", targets.resolve("aarch64-linux-android")
        )
    monkeypatch.setenv("CC", "false")
    with pytest.raises(
        ValueError, match="a network for this machine with false failed: no message"
    ):
        linking.link(executable, tmp_path / "a.so", targets.resolve("host"))
    monkeypatch.setenv("CC", "cc -lnothing_of_that_name")
    with pytest.raises(ValueError, match=r"with cc failed: .*nothing_of_that_name"):
        linking.link(executable, tmp_path / "a.so", targets.resolve("host"))
    monkeypatch.setattr(linking.compilers.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(
        ValueError,
        match=r"a network for x86-64-v3 needs ziglang, .*pip install tfmot-onexn\[bui",
    ):
        linking.link(executable, tmp_path / "a.so", targets.resolve("x86-64-v3"))
    assert not (tmp_path / "a.so").exists()
