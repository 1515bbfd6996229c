import json
import subprocess
import sys


def start(*arguments, stderr=subprocess.DEVNULL):
    return subprocess.Popen(
        [sys.executable, "-m", "tfmot_onexn.benchmark.worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def test_a_worker_answers_each_line_with_as_many_times(files):
    process = start(files["onexn"], "litert", "1")
    assert json.loads(process.stdout.readline()) == {"ready": True}
    for runs in (1, 5):
        request = json.dumps({"warmup": 2, "runs": runs})
        process.stdin.write(request + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        assert len(answer["ms"]) == runs
        assert answer["cpu_s"] >= 0
    output, _ = process.communicate()
    assert output == ""
    assert process.returncode == 0


def test_a_tvm_build_is_answered_alike(build):
    process = start(build, "tvm_vm", "1")
    assert json.loads(process.stdout.readline()) == {"ready": True}
    process.stdin.write(json.dumps({"warmup": 1, "runs": 3}) + "\n")
    process.stdin.flush()
    assert len(json.loads(process.stdout.readline())["ms"]) == 3
    assert process.communicate()[0] == ""


def test_the_delegate_is_used_where_the_runtime_says_so(files, monkeypatch):
    monkeypatch.setenv("ONEXN_DEBUG", "1")
    for runtime, printed in (("litert", False), ("litert+delegate", True)):
        process = start(files["onexn"], runtime, "1", stderr=subprocess.PIPE)
        output, errors = process.communicate(timeout=60)
        assert json.loads(output) == {"ready": True}
        assert ("CONV_2D" in errors) == printed


def test_a_file_that_cannot_be_loaded_is_its_first_answer(tmp_path):
    process = start(str(tmp_path / "none.tflite"), "litert", "1")
    assert "Cannot read" in json.loads(process.communicate()[0])["error"]
