import platform

import pytest
from tvm.target.codegen import llvm_cpu_has_features

from tfmot_onexn import targets
from tfmot_onexn.tvm import processors, tiles


@pytest.mark.parametrize("name", targets.TARGETS)
def test_every_target_has_a_processor(name):
    target, tile = processors.processor(name)
    assert str(target.kind.name) == "llvm"
    assert tile.lanes == (
        16 if name == "x86-64-v4" else 8 if name.startswith("x86") else 4
    )


def test_x86_levels_have_their_instructions():
    for name, feature, there in (
        ("x86-64-v3", "avx2", True),
        ("x86-64-v3", "avx512f", False),
        ("x86-64-v4", "avx512f", True),
    ):
        assert llvm_cpu_has_features([feature], processors.processor(name)[0]) is there


def test_this_machine_has_the_widest_tile_that_it_can():
    target, tile = processors.processor("host")
    wide = llvm_cpu_has_features(["avx512f"], target)
    assert tile == (tiles.AVX512 if wide else tiles.AVX2)


@pytest.mark.parametrize(
    ("machine", "told"),
    [("x86_64", r"x86_64 without AVX2"), ("riscv64", "riscv64"), ("armv7l", "armv7l")],
)
def test_a_machine_without_kernels_is_refused(machine, told, monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(processors, "llvm_cpu_has_features", lambda *_: False)
    with pytest.raises(
        ValueError, match=rf"for this machine \({told}\); name another target: \["
    ):
        processors.processor("host")


def test_an_unknown_target_is_refused():
    with pytest.raises(ValueError, match=r"Unknown target 'z80'; choose one of"):
        processors.processor("z80")
