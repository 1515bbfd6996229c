"""Builds the package and its delegate; the metadata is in pyproject.toml."""

import os
import pathlib
import shutil
import sys

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

ROOT = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from tfmot_onexn import targets  # noqa: E402
from tfmot_onexn.tflite import delegate_build  # noqa: E402

LIBRARY = "tfmot_onexn.tflite.libonexn_delegate"
# installs without the delegate, where it cannot be built
WITHOUT = "TFMOT_ONEXN_WITHOUT_DELEGATE"
# builds the delegate of a wheel for another target, with zig, for old systems too
TARGET = targets.resolve(os.environ.get(delegate_build.WHEEL_TARGET, targets.HOST))


class BuildDelegate(build_ext):
    """Builds the delegate where setuptools expects an extension of Python."""

    def build_extension(self, ext):
        # an editable installation is made again and again, as are wheels for a target
        own = self.editable_mode or TARGET.name != targets.HOST
        folder = pathlib.Path(ROOT / "build" if own else self.build_temp, "delegate")
        if TARGET.name != targets.HOST:
            folder = folder.with_name(f"delegate-{TARGET.name}")
        try:
            library = delegate_build.build(TARGET, folder)
        except ValueError as error:
            print(getattr(error, "log", ""), file=sys.stderr)
            sys.exit(
                f"{error}\nName another C++17 compiler in CC and CXX, or set "
                f"{WITHOUT}=1 to install without the delegate; pruned models then run "
                "at dense speed on x86."
            )
        destination = pathlib.Path(self.get_ext_fullpath(ext.name))
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, destination)

    def get_ext_filename(self, fullname):
        # no extension of Python, so without the version of Python
        return os.path.join(*fullname.split(".")) + ".so"

    def run(self):
        super().run()
        if not (self.inplace or self.editable_mode):
            # for `onexn delegate --target` of an installed package
            sources = pathlib.Path(
                self.build_lib, "tfmot_onexn/tflite/delegate_sources"
            )
            shutil.rmtree(sources, ignore_errors=True)
            for pattern in delegate_build.SOURCES:
                for path in ROOT.glob(f"tflite_delegate/{pattern}"):
                    copy = sources / path.relative_to(ROOT / "tflite_delegate")
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)


class Wheel(bdist_wheel):
    """Tags a wheel by the machine alone: no part of it depends on Python's binaries."""

    def get_tag(self):
        *_, platform = super().get_tag()
        if TARGET.name != targets.HOST:
            # what zig links against
            platform = f"manylinux_2_17_{TARGET.processor}"
        return "py3", "none", platform


setup(
    ext_modules=[] if os.environ.get(WITHOUT) else [Extension(LIBRARY, sources=[])],
    cmdclass={"bdist_wheel": Wheel, "build_ext": BuildDelegate},
)
