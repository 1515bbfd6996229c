"""Devices by the names that ``--device`` takes."""

import re

from tfmot_onexn.benchmark.devices.adb import Adb
from tfmot_onexn.benchmark.devices.device import Device
from tfmot_onexn.benchmark.devices.emulator import EMULATORS, Emulator
from tfmot_onexn.benchmark.devices.rpc import Rpc
from tfmot_onexn.benchmark.devices.ssh import Ssh

LOCAL = "local"
SPELLINGS = (LOCAL, *EMULATORS, "adb[:SERIAL]", "ssh:HOST", "rpc:HOST:PORT")


def device(name: str) -> Device | None:
    """Returns a device, None for this machine itself.

    Raises:
      ValueError: if there is none of that name.
    """
    if name == LOCAL:
        return None
    if name in EMULATORS:
        return Emulator(name)
    if re.fullmatch(r"adb(:[^\s-]\S*)?", name):
        return Adb(name)
    if re.fullmatch(r"ssh:[^\s-]\S*", name):
        return Ssh(name)
    if re.fullmatch(r"rpc:[^\s:-][^\s:]*:\d+", name):
        return Rpc(name)
    raise ValueError(f"Unknown device {name!r}; choose one of {', '.join(SPELLINGS)}.")
