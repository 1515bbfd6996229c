"""The Android example, as far as it can be run without Android.

Its Kotlin is compiled against `android/stubs`, which declare what it uses of Android
and of LiteRT's Java classes; the bridge and the delegate are the real ones, in a JVM.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest
from delegate_libraries import library_for

from tfmot_onexn.tflite import compilers, delegate

ROOT = pathlib.Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "android"
SOURCES = EXAMPLE / "app" / "src" / "main"
HERE = ROOT / "tests" / "android"


def needs(*programs):
    missing = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{missing} not installed")


def run(*command, check=True):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    """The example's classes and those of `Main.kt`, as a class path."""
    folder = tmp_path_factory.mktemp("classes")
    stubs, classes = folder / "stubs", folder / "example.jar"
    run("javac", "-d", stubs, *(HERE / "stubs").rglob("*.java"))
    kotlin = [*SOURCES.rglob("*.kt"), HERE / "Main.kt"]
    compiler = pathlib.Path(shutil.which("kotlinc")).resolve()
    # before Kotlin 1.8, what closes a Java object has a library of its own
    closes = compiler.parents[1] / "lib" / "kotlin-stdlib-jdk7.jar"
    path = f"{stubs}:{closes}"
    run(compiler, "-cp", path, "-include-runtime", "-d", classes, *kotlin)
    return f"{classes}:{path}"


def build_bridge(folder, compiler, library, check=True):
    """Builds libonexn_jni.so as the example's CMake says."""
    java = pathlib.Path(shutil.which("javac")).resolve().parents[1] / "include"
    tools = pathlib.Path(sys.executable).parent
    done = run(
        *(tools / "cmake", "-S", SOURCES / "cpp", "-B", folder, "-G", "Ninja"),
        f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}",
        f"-DCMAKE_CXX_COMPILER={compiler}",
        f"-DCMAKE_CXX_FLAGS=-I{java} -I{java / 'linux'} -Wall -Wextra -Werror",
        f"-DONEXN_DELEGATE={library}",
        check=check,
    )
    if check:
        run(tools / "cmake", "--build", folder)
    return done


@pytest.mark.slow
@needs("kotlinc", "javac", "c++")
def test_the_delegate_is_made_compared_and_given_back(classes, tmp_path):
    build_bridge(tmp_path, "c++", delegate.packaged())

    def main(*options, check=True):
        return run(
            *("java", f"-Djava.library.path={tmp_path}", "-cp", classes),
            *("com.example.onexn.MainKt", *options),
            check=check,
        )

    assert main("num_threads=2").stdout.splitlines() == [
        "made true",
        "apart 0.25, timed true",
    ]
    failed = main("threads=2", check=False)
    assert failed.returncode != 0
    assert re.search(r"IllegalArgumentException: .*threads", failed.stderr)


@pytest.mark.slow
@needs("javac", "aarch64-linux-gnu-g++")
def test_the_bridge_links_on_the_processor_of_phones(tmp_path):
    library = library_for("aarch64-linux-gnu")
    build_bridge(tmp_path, "aarch64-linux-gnu-g++", library)
    headers = run("readelf", "-Wdl", tmp_path / "libonexn_jni.so").stdout
    assert "Shared library: [libonexn_delegate.so]" in headers
    loads = re.findall(r"LOAD .* (0x\w+)$", headers, re.MULTILINE)
    assert set(loads) == {"0x4000"}  # 16 KB


@needs("javac", "c++")
def test_a_missing_delegate_is_told(tmp_path):
    done = build_bridge(tmp_path, "c++", tmp_path / "none.so", check=False)
    assert done.returncode != 0
    message = " ".join(done.stderr.split())
    assert f"{tmp_path}/none.so is missing: build it with `onexn delegate`" in message


def test_the_manifest_names_the_activity():
    manifest = xml.etree.ElementTree.parse(SOURCES / "AndroidManifest.xml")
    name = "{http://schemas.android.com/apk/res/android}name"
    (activity,) = (each.get(name) for each in manifest.iter("activity"))
    settings = (EXAMPLE / "app" / "build.gradle.kts").read_text()
    (package,) = re.findall(r'namespace = "(.*)"', settings)
    code = SOURCES / "kotlin" / package.replace(".", "/") / f"{activity[1:]}.kt"
    assert f"package {package}\n" in code.read_text()


def test_the_oldest_android_is_that_of_the_delegate():
    settings = (EXAMPLE / "app" / "build.gradle.kts").read_text()
    assert f"minSdk = {compilers.ANDROID_API} " in settings
