"""Which machine and which versions a measurement comes from."""

import datetime
import importlib.metadata
import os
import platform
from typing import Any

import cpuinfo
import psutil

_PACKAGES = (
    *("tfmot-onexn", "tensorflow", "tf-keras", "keras", "ai-edge-litert"),
    *("tflite-runtime", "tensorflow-model-optimization", "numpy"),
    *("apache-tvm", "apache-tvm-ffi"),
)


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
        "versions": {
            name: version for name in _PACKAGES if (version := _version(name))
        },
    }


def one_line(machine: dict[str, Any]) -> str:
    """Returns the machine as a caption."""
    versions = machine["versions"]
    litert = versions.get("ai-edge-litert", "not installed")
    tvm = f"TVM {versions['apache-tvm']}, " if "apache-tvm" in versions else ""
    return (
        f"{machine['cpu']} ({', '.join(machine['isa'])}), {machine['cores']} cores, "
        f"load {machine['load_1min']}, {machine['date']}; LiteRT {litert}, {tvm}"
        f"TensorFlow {versions.get('tensorflow')}, "
        f"tfmot-onexn {versions.get('tfmot-onexn')}"
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
