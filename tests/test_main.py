"""The program as a shell runs it."""

import subprocess
import sys

COMMANDS = (
    *("demo", "prune", "convert", "build", "export", "benchmark", "compare"),
    *("summary", "delegate"),
)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tfmot_onexn", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_teaches_every_command_and_needs_no_tensorflow():
    finished = run("--help")
    assert finished.returncode == 0
    for command in COMMANDS:
        assert f"    {command}" in finished.stdout
    assert finished.stderr == ""
    code = (
        "import sys; from tfmot_onexn import cli\n"
        "try: cli.parse(['onexn', 'compare', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'tensorflow', 'tf_keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_exit_codes_tell_usage_from_failure():
    assert run().returncode == 2
    assert run("frobnicate").returncode == 2
    assert run("benchmark").returncode == 2
    assert run("prune", "--meth", "onexn", "m", "-o", "o.keras").returncode == 2
    failed = run("summary", "none.tflite")
    assert failed.returncode == 1
    message = "onexn summary: Cannot read none.tflite: No such file or directory.\n"
    assert failed.stderr == message


TERMINATED = """
import os, signal, sys
from tfmot_onexn import __main__, cli
from tfmot_onexn.cli import summary
from tfmot_onexn.networks import files

def run(arguments):
    with files.replacing(arguments.model):
        os.kill(os.getpid(), signal.SIGTERM)

summary.run = run
__main__.run()
"""


def test_a_polite_kill_interrupts_a_command_and_leaves_nothing(tmp_path):
    arguments = ("summary", str(tmp_path / "a.keras"))
    finished = subprocess.run(
        [sys.executable, "-c", TERMINATED, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stderr == "onexn summary: interrupted\n"
    assert list(tmp_path.iterdir()) == []


def test_the_installed_script_is_the_same_program():
    import importlib.metadata

    (script,) = importlib.metadata.entry_points(group="console_scripts", name="onexn")
    assert script.value == "tfmot_onexn.__main__:run"
