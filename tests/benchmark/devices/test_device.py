import pytest

from tfmot_onexn.benchmark.devices import device


def test_the_last_line_of_a_failure_is_told():
    with pytest.raises(device.ProgramError, match=r"sh failed on x .* code 3: no luck"):
        device.call(["sh", "-c", "echo no; echo no luck >&2; exit 3"], 10, on="x")
    with pytest.raises(device.ProgramError, match="it left no message"):
        device.call(["false"], 10, on="x")


def test_what_takes_too_long_is_stopped():
    with pytest.raises(
        device.DeviceError, match=r"sleep 9 did not end on x within 0\.1"
    ):
        device.call(["sleep", "9"], 0.1, on="x")


def test_a_missing_program_loses_the_device():
    with pytest.raises(device.DeviceError, match="no-such is not installed") as caught:
        device.call(["no-such"], 1, on="x")
    assert caught.value.lost
