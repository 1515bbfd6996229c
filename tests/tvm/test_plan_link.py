import json
import pathlib
import struct
import subprocess

import numpy as np
import plans
import pytest
import relax_modules

from tfmot_onexn import targets
from tfmot_onexn.tflite import compilers
from tfmot_onexn.tvm import builds, plan, plan_link, processors

# what a machine is called in the header of its programs
_MACHINES = {"x86_64": 62, "aarch64": 183, "armv7l": 40}


def machine_of(path):
    return struct.unpack_from("<H", path.read_bytes(), 18)[0]


def benchmark(*options, folder=None):
    program = (folder or plans.built()) / builds.BENCHMARK
    return subprocess.run([str(program), *options], text=True, capture_output=True)


def test_the_program_computes_and_tells_how_long_it_took(tmp_path):
    network = plans.network()
    network.inputs[0].tofile(tmp_path / "x")
    done = benchmark(
        *("--runs", "3", "--warmup", "0", "--threads", "2"),
        *("--input", str(tmp_path / "x"), "--output", str(tmp_path / "y")),
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["runtime"] == "tvm_plan"
    assert (told["target"], told["threads"], told["runs"]) == ("host", 2, 3)
    assert 0 < told["p10_ms"] <= told["median_ms"] <= told["p90_ms"]
    found = np.fromfile(tmp_path / "y", np.float32).reshape(1, 9)
    np.testing.assert_allclose(found, network.expected[0], rtol=1e-5)


def test_the_program_makes_up_an_input(tmp_path):
    done = benchmark(str(plans.built()), "--runs", "1", "--output", str(tmp_path / "y"))
    assert done.returncode == 0, done.stderr
    assert np.fromfile(tmp_path / "y", np.float32).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--input", "/none"], "Cannot open /none"),
        (["--input", __file__], "must have 120 bytes, those of the input x"),
        (["--input", "a", "--input", "b"], "The plan has 1 inputs, not 2"),
        (["--output", "/none/y"], "Cannot write /none/y"),
        (["--threads", "65"], "num_threads is 65; it must be between 1 and 64"),
        (["/none"], "Cannot open /none/plan.bin"),
    ],
)
def test_the_program_says_what_is_wrong(options, message):
    done = benchmark(*options)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stdout == "" or "--output" in options


@pytest.mark.parametrize("options", [["--runs"], ["--runs", "0"], ["--fast", "1"]])
def test_the_program_tells_how_it_is_used(options):
    done = benchmark(*options)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: benchmark [FOLDER]")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["aarch64-linux-gnu", "armv7-linux-gnueabihf"])
def test_a_plan_is_linked_for_its_target(tmp_path, name):
    target = targets.resolve(name)
    module = relax_modules.several().module
    plan.write(module, processors.processor(name)[0], target, tmp_path / "plan")
    for file in (builds.LIBRARY, builds.BENCHMARK):
        assert machine_of(tmp_path / "plan" / file) == _MACHINES[target.processor]


@pytest.mark.slow
def test_zig_links_where_there_is_no_compiler(tmp_path, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    network = relax_modules.several()
    folder = tmp_path / "plan"
    plan.write(network.module, relax_modules.LLVM, relax_modules.HOST, folder)
    assert benchmark("--runs", "1", folder=folder).returncode == 0


def test_the_program_is_linked_by_this_machine_where_there_is_no_zig(monkeypatch):
    monkeypatch.setenv("CC", "ccache gcc")
    monkeypatch.setattr(compilers, "has_zig", lambda: False)
    host = targets.resolve("host")
    assert plan_link._static(host) == ["ccache", "gcc", "-static"]
    assert plan_link._shared(host) == ["ccache", "gcc"]


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(compilers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="a plan for aarch64-linux-gnu needs ziglang"):
        plan_link._shared(targets.resolve("aarch64-linux-gnu"))


def test_android_needs_its_kit(tmp_path, monkeypatch):
    android = targets.resolve("aarch64-linux-android")
    for variable in ("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match="a plan for Android needs the Android NDK"):
        plan_link._shared(android)
    toolchain = tmp_path / "build" / "cmake" / "android.toolchain.cmake"
    toolchain.parent.mkdir(parents=True)
    toolchain.touch()
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="has no clang: install it anew"):
        plan_link._shared(android)
    clang = tmp_path / "toolchains" / "llvm" / "prebuilt" / "linux-x86_64" / "bin"
    clang.mkdir(parents=True)
    (clang / "clang").touch()
    command = plan_link._shared(android)
    assert command == [str(clang / "clang"), "--target=aarch64-linux-android24"]


def test_kernels_that_need_more_of_tvm_are_refused():
    served = b"\0__TVMBackendParallelLaunch\0TVMFFIErrorSetRaisedFromCStrParts\0"
    plan_link.require_served(served)
    for name in (b"__TVMFFIFunctionCall", b"TVMBackendParallelBarrier"):
        called = name.decode().strip("_")
        with pytest.raises(ValueError, match=f"call {called} of TVM's runtime"):
            plan_link.require_served(b"\0%s%s" % (name, served))


def test_a_failed_link_tells_the_first_error(tmp_path):
    garbage = b"no object file"
    with pytest.raises(ValueError, match=r"a plan for this machine with .* failed: .+"):
        plan_link.link(tmp_path, garbage, ["a"], targets.resolve("host"))


def test_the_runner_needs_nothing_of_tvm():
    for path in pathlib.Path(plan_link.RUNNER).iterdir():
        assert "#include <tvm" not in path.read_text()
        assert "dlpack.h" not in path.read_text()
