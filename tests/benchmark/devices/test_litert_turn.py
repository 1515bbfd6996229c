import json
import subprocess
import sys

import pytest

from tfmot_onexn.benchmark.devices import programs
from tfmot_onexn.tflite import delegate


@pytest.mark.parametrize("with_delegate", [False, True])
def test_it_times_a_file(dense_file, with_delegate):
    library = [str(delegate.packaged())] if with_delegate else []
    words = [sys.executable, programs._SCRIPT, dense_file, "1", "1", "3", *library]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    times = json.loads(done.stdout.splitlines()[-1])["ms"]
    assert len(times) == 3
    assert min(times) > 0


def test_without_litert_it_says_what_to_install():
    words = [sys.executable, "-S", "-c", "import runpy, sys, types\n"]
    words[-1] += (
        "sys.modules['numpy'] = types.ModuleType('numpy')\n"
        f"sys.argv = ['turn', 'file', '1', '1', '1']\n"
        f"runpy.run_path({str(programs._SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    assert "pip install ai-edge-litert numpy" in done.stderr
