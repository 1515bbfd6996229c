import pytest
import relax_modules
import tvm
from tvm import relax

from tfmot_onexn import targets
from tfmot_onexn.tvm import linking, processors


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
    monkeypatch.setattr(linking.shutil, "which", lambda name: None)
    linking.link(executable, tmp_path / "model.so", targets.resolve("host"))
    assert (tmp_path / "model.so").read_bytes()[:4] == b"\x7fELF"


def test_what_cannot_be_linked_is_told(executable, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"aarch64-linux-android would need TVM's own"):
        linking.link(
            executable, tmp_path / "a.so", targets.resolve("aarch64-linux-android")
        )
    monkeypatch.setenv("CC", "false")
    with pytest.raises(ValueError, match="Linking for host with false failed: no mess"):
        linking.link(executable, tmp_path / "a.so", targets.resolve("host"))
    monkeypatch.setattr(linking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs ziglang: pip install tfmot-onexn\[bu"):
        linking.link(executable, tmp_path / "a.so", targets.resolve("x86-64-v3"))
    assert not (tmp_path / "a.so").exists()
