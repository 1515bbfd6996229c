"""What TVM is told of each target, and the tiles for it."""

from typing import Any

from tvm.target import Target as TvmTarget
from tvm.target.codegen import llvm_cpu_has_features, llvm_get_system_cpu

from tfmot_onexn import targets
from tfmot_onexn.tvm import tiles
from tfmot_onexn.tvm.tiles import Tile

_OPTIONS: dict[str, dict[str, Any]] = {
    "x86-64-v3": {"mcpu": "x86-64-v3"},
    # LLVM would divide vectors of 16 floats on some processors
    "x86-64-v4": {"mcpu": "x86-64-v4", "mattr": ["-prefer-256-bit"]},
    "aarch64-linux-gnu": {"mattr": ["+neon"]},
    "aarch64-linux-android": {"mattr": ["+neon"]},
    # TVM would pass floats to the C library in other registers than it reads
    "armv7-linux-gnueabihf": {
        "mtriple": "armv7-linux-gnueabihf",
        "mattr": ["+neon", "+vfp4"],
        "mfloat-abi": "hard",
    },
}
_TILES = {
    "x86-64-v3": tiles.AVX2,
    "x86-64-v4": tiles.AVX512,
    "aarch64-linux-gnu": tiles.NEON64,
    "aarch64-linux-android": tiles.NEON64,
    "armv7-linux-gnueabihf": tiles.NEON32,
}


def processor(name: str) -> tuple[TvmTarget, Tile]:
    """Returns TVM's target, and the tiles, for a target as `targets` spells it.

    Raises:
      ValueError: if there is none of that name, or no kernels for this machine.
    """
    target = targets.resolve(name)
    if name != targets.HOST:
        options = {"mtriple": target.triple, **_OPTIONS[name]}
        return TvmTarget({"kind": "llvm", **options}), _TILES[name]
    options = {"mcpu": llvm_get_system_cpu()}
    host = TvmTarget({"kind": "llvm", **options})
    if target.processor == "x86_64":
        for feature, tile in (("avx512f", tiles.AVX512), ("avx2", tiles.AVX2)):
            if llvm_cpu_has_features([feature], host):
                return host, tile
    elif target.processor == "aarch64":
        return host, tiles.NEON64
    lacks = " without AVX2" if target.processor == "x86_64" else ""
    raise ValueError(
        f"There are no TVM kernels for this machine ({target.processor}{lacks}); "
        f"name another target: {list(targets.TARGETS)}."
    )
