"""Links compiled kernels with the runner, for this machine or another."""

import pathlib
import re
import shutil
import zlib
from collections.abc import Sequence

from tfmot_onexn.targets import Target
from tfmot_onexn.tflite import compilers
from tfmot_onexn.tvm.builds import BENCHMARK, LIBRARY

RUNNER = pathlib.Path(__file__).with_name("runner")
_WHAT = "a plan"
_FLAGS = ("-std=c11", "-O2", "-fno-math-errno", "-pthread")
# what the runner has of TVM's runtime
_SERVED = {
    "TVMBackendAllocWorkspace",
    "TVMBackendFreeWorkspace",
    "TVMBackendParallelLaunch",
    "TVMFFIErrorSetRaisedFromCStrParts",
}
_SYMBOL = re.compile(rb"(?<=\0)(?:__)?(TVM(?:Backend|FFI)\w+)(?=\0)")


def require_served(kernels: bytes) -> None:
    """Raises ValueError if kernels need more of TVM's runtime than the runner has.

    Args:
      kernels: the object file.
    """
    missing = {name.decode() for name in _SYMBOL.findall(kernels)} - _SERVED
    if missing:
        raise ValueError(
            f"The kernels call {', '.join(sorted(missing))} of TVM's runtime, which a "
            'plan runs without. Build for TVM\'s virtual machine: format="vm".'
        )


def link(
    folder: pathlib.Path,
    kernels: bytes,
    names: Sequence[str],
    target: Target,
    isa: str = "ANY",
) -> None:
    """Writes the library of a plan and a program that measures it.

    Args:
      folder: where to. What is made on the way is removed.
      kernels: the object file that TVM compiled; its checksum tells kernels apart.
      names: of the kernels, in the order in which the plan numbers them.
      target: the machine.
      isa: what the kernels need of its processor, as ``runner/abi.h`` calls it.

    Raises:
      ValueError: if a tool is missing, or the compiler fails.
    """
    folder = folder.absolute()
    work = folder / "linking"
    work.mkdir()
    (work / "kernels.o").write_bytes(kernels)
    (work / "kernels.c").write_text(
        _table(names, zlib.crc32(kernels), target.name, isa)
    )
    common = [str(work / "kernels.c"), *_sources()]
    if names:
        common.append(str(work / "kernels.o"))
    exports = f"-Wl,--version-script={RUNNER / 'exports.map'}"
    library = ["-shared", "-fPIC", exports, "-Wl,-z,defs"]
    if target.android:
        # a page of newer devices
        library.append("-Wl,-z,max-page-size=16384")
    _compile([*_shared(target), *library, *common], folder / LIBRARY, target)
    benchmark = [*_static(target), *common, str(RUNNER / "benchmark.c")]
    _compile(benchmark, folder / BENCHMARK, target)
    shutil.rmtree(work)


def _sources() -> list[str]:
    return sorted(str(path) for path in RUNNER.glob("*.c") if path.stem != BENCHMARK)


def _table(names: Sequence[str], checksum: int, target: str, isa: str) -> str:
    """Returns the source of what ``runner/abi.h`` declares."""
    lines = ['#include "abi.h"']
    lines += [
        f"int32_t __tvm_ffi_{name}(void*, const TVMFFIAny*, int32_t, TVMFFIAny*);"
        for name in names
    ]
    lines.append("const onexn_kernel onexn_kernels[] = {")
    lines += [f'    {{"{name}", __tvm_ffi_{name}}},' for name in names]
    lines += [
        "    {0, 0},",
        "};",
        f"const uint32_t onexn_kernel_count = {len(names)};",
        f"const uint32_t onexn_kernels_checksum = {checksum}u;",
        f'const char onexn_target[] = "{target}";',
        f"const onexn_isa onexn_needed_isa = ONEXN_{isa};",
    ]
    return "\n".join(lines) + "\n"


def _shared(target: Target) -> list[str]:
    if target.android:
        kit = compilers.android_kit(_WHAT)
        triple = f"{target.triple}{compilers.ANDROID_API}"
        for clang in kit.glob("toolchains/llvm/prebuilt/*/bin/clang"):
            return [str(clang), f"--target={triple}"]
        raise ValueError(f"The Android NDK in {kit} has no clang: install it anew.")
    return compilers.own_c_compiler(target) or _zig(target, static=False)


def _static(target: Target) -> list[str]:
    """Returns the compiler of a program that needs no library.

    zig comes first, as many systems have no static C library.
    """
    own = compilers.own_c_compiler(target)
    if own and not compilers.has_zig():
        return [*own, "-static"]
    return _zig(target, static=True)


def _zig(target: Target, *, static: bool) -> list[str]:
    zig = compilers.zig_program(target, _WHAT)
    return [zig, "cc", *compilers.zig_options(target, static=static)]


def _compile(command: list[str], path: pathlib.Path, target: Target) -> None:
    command = [*command, *_FLAGS, f"-I{RUNNER}", "-s", "-o", str(path), "-lm"]
    compilers.run(command, _WHAT, target)
