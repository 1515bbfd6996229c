import pathlib
import shutil
import subprocess
import sys
import threading

import numpy as np
import plans
import pytest

from tfmot_onexn.tvm import plan_file
from tfmot_onexn.tvm.plan_runtime import Plan


@pytest.fixture
def folder(tmp_path) -> pathlib.Path:
    """A copy of a plan, to damage."""
    return shutil.copytree(plans.built(), tmp_path / "plan")


def damage(path, at, value=None):
    raw = bytearray(path.read_bytes())
    raw[at] = raw[at] ^ 1 if value is None else value
    path.write_bytes(raw)


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_it_runs_on_so_many_threads(num_threads):
    network = plans.network()
    with Plan(plans.built(), num_threads) as plan:
        for _ in range(30):
            (found,) = plan.run(*network.inputs)
            np.testing.assert_allclose(found, network.expected[0], rtol=1e-5)


def test_it_tells_its_ports_and_its_calls():
    with Plan(plans.built()) as plan:
        (given,), (result,) = plan.inputs, plan.outputs
        assert (given.name, given.shape, given.dtype) == ("x", (1, 6, 1, 5), np.float32)
        assert (result.name, result.shape) == ("output", (1, 9))
        assert plan.calls == ["product", "turned", "add", "gather"]
        assert plan.target == "host"


def test_inputs_stay_between_runs():
    network = plans.network()
    with Plan(plans.built()) as plan:
        (first,) = plan.run(*network.inputs)
        plan.invoke()
        np.testing.assert_array_equal(plan.outputs[0].array, first)
        plan.inputs[0].array[...] = 0
        plan.invoke()
        assert not plan.outputs[0].array.any()
        # a copy
        assert first.any()


def test_calls_one_by_one_are_a_run():
    network = plans.network()
    with Plan(plans.built()) as plan:
        plan.inputs[0].array[...] = network.inputs[0]
        for index in range(len(plan.calls)):
            plan.invoke_call(index)
        found = plan.outputs[0].array
        np.testing.assert_allclose(found, network.expected[0], rtol=1e-5)


def test_any_thread_may_run_it_but_one_at_a_time():
    network = plans.network()
    failures = []

    def run(plan):
        for _ in range(200):
            try:
                plan.invoke()
            except RuntimeError as error:
                failures.append(str(error))

    with Plan(plans.built(), 2) as plan:
        plan.inputs[0].array[...] = network.inputs[0]
        threads = [threading.Thread(target=run, args=[plan]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        plan.invoke()
        found = plan.outputs[0].array
        np.testing.assert_allclose(found, network.expected[0], rtol=1e-5)
    assert all("open it once per thread" in failure for failure in failures)


def test_two_plans_run_side_by_side():
    network = plans.network()
    with Plan(plans.built(), 2) as one, Plan(plans.built(), 2) as other:
        one.run(np.zeros_like(network.inputs[0]))
        (found,) = other.run(*network.inputs)
        np.testing.assert_allclose(found, network.expected[0], rtol=1e-5)
        assert not one.outputs[0].array.any()


def test_arrays_must_fit():
    with Plan(plans.built()) as plan:
        with pytest.raises(ValueError, match="takes 1 inputs, not 2"):
            plan.run(np.zeros(1), np.zeros(1))
        with pytest.raises(
            ValueError, match=r"x is float32\[1, 6, 1, 5\], not float32\[6, 5\]"
        ):
            plan.run(np.zeros((6, 5), np.float32))
        with pytest.raises(ValueError, match=r"not float64\[1, 6, 1, 5\]"):
            plan.run(np.zeros((1, 6, 1, 5)))


def test_a_closed_plan_says_so():
    plan = Plan(plans.built())
    plan.close()
    plan.close()
    with pytest.raises(ValueError, match="plan is closed"):
        plan.invoke()


@pytest.mark.parametrize("num_threads", [0, 65])
def test_threads_have_bounds(num_threads):
    with pytest.raises(ValueError, match=f"num_threads is {num_threads}; .* 1 and 64"):
        Plan(plans.built(), num_threads)


def test_a_folder_without_a_plan_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"is no plan: it has no libplan.so"):
        Plan(tmp_path)


def test_a_library_of_another_machine_is_refused(folder):
    # of a processor that is none
    damage(folder / "libplan.so", 18, 0xFE)
    with pytest.raises(ValueError, match="cannot be loaded on this machine"):
        Plan(folder)


@pytest.mark.parametrize("name", ["plan.bin", "weights.bin"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=f"Cannot open .*{name}"):
        Plan(folder)


def test_a_damaged_plan_is_refused(folder):
    damage(folder / "plan.bin", 100)
    with pytest.raises(ValueError, match=r"plan.bin cannot be run: its checksum"):
        Plan(folder)


def test_damaged_weights_are_refused(folder):
    damage(folder / "weights.bin", 100)
    with pytest.raises(ValueError, match=r"checksum of .*weights.bin is wrong"):
        Plan(folder)


def test_another_version_is_refused(folder):
    damage(folder / "plan.bin", 8, plan_file.VERSION + 1)
    with pytest.raises(ValueError, match="version 2 and this runner reads version 1"):
        Plan(folder)


@pytest.mark.parametrize("left", [0, 10, 63, 64, 200])
def test_a_plan_that_was_cut_off_is_refused(folder, left):
    path = folder / "plan.bin"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(ValueError, match=r"cannot be run: it (is not|has \d+)"):
        Plan(folder)


def test_weights_that_were_cut_off_are_refused(folder):
    path = folder / "weights.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"weights.bin has \d+ bytes and should have"):
        Plan(folder)


def test_what_is_no_plan_is_refused(folder):
    (folder / "plan.bin").write_bytes(b"GIF89a" * 100)
    with pytest.raises(ValueError, match="it is not a plan"):
        Plan(folder)


def test_a_plan_of_other_kernels_is_refused(folder):
    path = folder / "plan.bin"
    raw = bytearray(path.read_bytes())
    raw[44] ^= 1
    path.write_bytes(plan_file.seal(bytes(raw)))
    with pytest.raises(ValueError, match="does not belong to these kernels"):
        Plan(folder)


def test_a_plan_that_makes_no_sense_is_refused(folder):
    path = folder / "plan.bin"
    raw = bytearray(path.read_bytes())
    # the number of tensors
    raw[48] += 1
    path.write_bytes(plan_file.seal(bytes(raw)))
    with pytest.raises(ValueError, match="its content makes no sense"):
        Plan(folder)


def test_a_kernel_that_fails_is_named(folder):
    """The shape of its input is not what it was compiled for."""
    path = folder / "plan.bin"
    raw = path.read_bytes()
    shape = np.array([6, 5], "<u8").tobytes()
    assert raw.count(shape) == 1
    path.write_bytes(plan_file.seal(raw.replace(shape, shape[8:] + shape[:8])))
    with Plan(folder) as plan:
        with pytest.raises(RuntimeError, match=r"The kernel product failed: \w+Error"):
            plan.invoke()
        # once more: an error leaves nothing behind
        with pytest.raises(RuntimeError, match=r"The kernel product failed: \w+Error"):
            plan.invoke()


def test_it_does_without_tvm():
    code = (
        "import sys; sys.modules['tvm'] = None; sys.modules['tvm_ffi'] = None\n"
        "from tfmot_onexn.tvm.plan_runtime import Plan\n"
        "plan = Plan(sys.argv[1], 2); plan.invoke(); plan.close()\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(plans.built())], check=True)
