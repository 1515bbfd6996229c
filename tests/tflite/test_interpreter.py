import subprocess
import sys

import numpy as np
import pytest

from tfmot_onexn.tflite import interpreter


def test_runtimes_are_found_in_order_of_preference(monkeypatch):
    assert interpreter.available_runtimes()[:2] == ["litert", "tf_lite"]
    assert interpreter.resolve_runtime() == "litert"
    monkeypatch.setattr(interpreter.importlib.util, "find_spec", lambda name: None)
    assert interpreter.available_runtimes() == []
    with pytest.raises(ValueError, match="No TFLite runtime: pip install ai-edge"):
        interpreter.resolve_runtime()


def test_a_runtime_that_is_missing_or_unknown_is_refused_with_the_remedy(sparse_file):
    with pytest.raises(ValueError, match=r"tflite_runtime is not installed: pip inst"):
        interpreter.load_interpreter(sparse_file, runtime="tflite_runtime")
    with pytest.raises(ValueError, match=r"runtime 'tvm'; choose tflite or one of"):
        interpreter.load_interpreter(sparse_file, runtime="tvm")


def test_images_run_one_at_a_time(sparse_file, batch_of_images):
    loaded = interpreter.load_interpreter(sparse_file, num_threads=2)
    outputs = interpreter.run(loaded, batch_of_images)
    assert outputs.shape == (4, 4)
    np.testing.assert_array_equal(
        outputs[2:3], interpreter.run_once(loaded, batch_of_images[2:3])
    )
    with pytest.raises(ValueError, match="Dimension mismatch"):
        interpreter.run(loaded, batch_of_images[:, :4])


def test_intermediate_tensors_can_be_kept(sparse_file, batch_of_images):
    loaded = interpreter.load_interpreter(sparse_file, preserve_all_tensors=True)
    interpreter.run_once(loaded, batch_of_images[:1])
    shapes = {tuple(d["shape"]) for d in loaded.get_tensor_details()}
    assert (1, 4, 4, 96) in shapes


def test_running_a_file_does_not_import_tensorflow(sparse_file):
    code = (
        "import sys; from tfmot_onexn.tflite import interpreter; "
        "interpreter.load_interpreter(sys.argv[1]); "
        "assert 'tensorflow' not in sys.modules and 'tf_keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(sparse_file)], check=True)
