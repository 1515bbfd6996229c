"""Which versions of packages artifacts and measurements come from."""

import importlib.metadata

_PACKAGES = (
    *("tfmot-onexn", "tensorflow", "tf-keras", "keras", "ai-edge-litert"),
    *("tflite-runtime", "tensorflow-model-optimization", "numpy"),
    *("apache-tvm", "apache-tvm-ffi"),
)


def installed() -> dict[str, str]:
    """Returns the version of each package that is installed, by its name on PyPI."""
    return {name: version for name in _PACKAGES if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
