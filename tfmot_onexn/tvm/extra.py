"""Whether TVM is here, in versions that work; asked before it is imported."""

import importlib.metadata
import importlib.util

# of the package, which asks for the same versions
INSTALL = "pip install tfmot-onexn[tvm]"
# the module -> its name on PyPI
_PACKAGES = {"tvm": "apache-tvm", "tvm_ffi": "apache-tvm-ffi", "tflite": "tflite"}
# others lack functions that are used here, or crash
_VERSIONS = {"apache-tvm": "0.27", "apache-tvm-ffi": "0.1.14"}


def require() -> None:
    """Raises ValueError with the remedy unless TVM is installed and fits."""
    missing = [
        package
        for module, package in _PACKAGES.items()
        if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise ValueError(
            f"TVM is not installed; {' and '.join(missing)} missing: {INSTALL}."
        )
    for package, expected in _VERSIONS.items():
        found = importlib.metadata.version(package)
        if not f"{found}.".startswith(f"{expected}."):
            raise ValueError(
                f"{package} {found} does not work here, expected {expected}: {INSTALL}."
            )
