"""Which machine and which versions a measurement comes from."""

import datetime
import os
import platform
from typing import Any

import cpuinfo
import psutil

from tfmot_onexn.tflite import versions


def describe() -> dict[str, Any]:
    """Returns CPU, memory, load, operating system, date and package versions."""
    cpu = cpuinfo.get_cpu_info()
    return {
        "cpu": cpu.get("brand_raw", platform.processor()),
        "isa": [
            flag
            for flag in ("avx2", "fma", "avx512f", "neon", "asimd")
            if flag in cpu.get("flags", [])
        ],
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_1min": round(os.getloadavg()[0], 2),
        "os": platform.platform(),
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions.installed(),
    }


def one_line(machine: dict[str, Any]) -> str:
    """Returns the machine as a caption.

    Args:
      machine: from `describe`; with a ``device``, if that is where programs ran, and
        this machine only sent them there.
    """
    device = f"On {machine['device']}, from " if "device" in machine else ""
    found = machine["versions"]
    litert = found.get("ai-edge-litert", "not installed")
    tvm = f"TVM {found['apache-tvm']}, " if "apache-tvm" in found else ""
    return (
        f"{device}{machine['cpu']} ({', '.join(machine['isa'])}), "
        f"{machine['cores']} cores, "
        f"load {machine['load_1min']}, {machine['date']}; LiteRT {litert}, {tvm}"
        f"TensorFlow {found.get('tensorflow')}, "
        f"tfmot-onexn {found.get('tfmot-onexn')}"
    )
