import pytest

from tfmot_onexn.benchmark.devices import names
from tfmot_onexn.benchmark.devices.adb import Adb
from tfmot_onexn.benchmark.devices.emulator import Emulator
from tfmot_onexn.benchmark.devices.rpc import Rpc
from tfmot_onexn.benchmark.devices.ssh import Ssh


def test_devices_have_names():
    assert names.device("local") is None
    for name, kind in (
        ("qemu-aarch64", Emulator),
        ("qemu-armv7", Emulator),
        ("adb", Adb),
        ("adb:0123ABC", Adb),
        ("ssh:pi@raspberry", Ssh),
        ("rpc:10.0.0.1:9090", Rpc),
    ):
        device = names.device(name)
        assert type(device) is kind
        assert device.name == name


# the last ones would be options of the programs that are called
@pytest.mark.parametrize(
    "name", ["pi", "ssh:", "adb:", "ssh", "ssh:-oX", "adb:-d", "rpc:a"]
)
def test_unknown_names_are_refused(name):
    with pytest.raises(ValueError, match=r"Unknown device .* qemu-armv7, adb"):
        names.device(name)
