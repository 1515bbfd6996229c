"""Plans of small networks, built once for all tests that look at them."""

import functools
import pathlib
import tempfile

import relax_modules

from tfmot_onexn.tvm import plan

_FOLDER = tempfile.TemporaryDirectory()


@functools.cache
def network() -> relax_modules.Network:
    return relax_modules.network()


@functools.cache
def built() -> pathlib.Path:
    """Returns the plan of `network`."""
    folder = pathlib.Path(_FOLDER.name, "network")
    plan.write(network().module, relax_modules.LLVM, relax_modules.HOST, folder)
    return folder
