import gc
import subprocess
import sys

import numpy as np
import pytest
from graphs import relative_error
from sparse_networks import body, pruned

from tfmot_onexn.tflite import convert, delegate, delegate_build, interpreter


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


def claimed(capfd):
    """How many layers delegates have said to have claimed since the last call."""
    return capfd.readouterr().err.count('"claimed": true')


def test_the_delegate_is_used_unless_it_is_refused(tmp_path, capfd, monkeypatch):
    file = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned(body(padded=False)), file)
    capfd.readouterr()
    monkeypatch.setenv("ONEXN_DEBUG", "1")
    library = delegate.packaged()
    counts = []
    for wanted in (True, {"cost_gate": "off"}, library, str(library), False):
        interpreter.load_interpreter(file, delegate=wanted)
        counts.append(claimed(capfd))
    assert all(counts[:4])
    assert counts[4] == 0


def test_the_delegate_takes_options_and_refuses_unknown_ones(sparse_file):
    for options, message in (
        ({"speed": "high"}, r'^onexn delegate: unknown option "speed"; there are num_'),
        ({"cost_gate": "no"}, r'option cost_gate is "no", expected on or off$'),
    ):
        with pytest.raises(ValueError, match=message):
            interpreter.load_interpreter(sparse_file, delegate=options)


@pytest.mark.parametrize("runtime", ["litert", "tf_lite"])
@pytest.mark.parametrize("kernel", ["auto", "reference"])
def test_the_delegate_computes_what_the_runtime_does(
    sparse_file, batch_of_images, dense_model, runtime, kernel
):
    options = {"kernel": kernel, "cost_gate": "off"}
    stock, ours = (
        interpreter.run(
            interpreter.load_interpreter(sparse_file, runtime=runtime, delegate=wanted),
            batch_of_images,
        )
        for wanted in (False, options)
    )
    assert relative_error(ours, stock) <= 1e-5
    assert relative_error(dense_model(batch_of_images), stock) > 0.1


def test_the_oldest_runtime_takes_the_same_library(
    sparse_file, pruned_model, batch_of_images, tflite_runtime
):
    outputs, errors = tflite_runtime(
        sparse_file, batch_of_images, delegate=delegate.packaged()
    )
    assert relative_error(outputs, pruned_model(batch_of_images)) <= 1e-5
    assert '"claimed": true' in errors


def test_the_interpreter_keeps_the_delegate(sparse_file, batch_of_images):
    loaded = interpreter.load_interpreter(sparse_file)
    before = interpreter.run(loaded, batch_of_images)
    gc.collect()
    np.testing.assert_array_equal(interpreter.run(loaded, batch_of_images), before)


def test_without_the_delegate_a_warning_says_why(
    sparse_file, batch_of_images, monkeypatch
):
    expected = interpreter.run(
        interpreter.load_interpreter(sparse_file, delegate=False), batch_of_images
    )
    monkeypatch.setattr(delegate_build, "LIBRARY", "libmissing.so")
    with pytest.warns(
        UserWarning,
        match=r"sparse.tflite runs without the delegate. The delegate is missing: "
        r"there is no .*libmissing.so. Reinstall .* Pass delegate=False where that",
    ) as caught:
        loaded = interpreter.load_interpreter(sparse_file)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(interpreter.run(loaded, batch_of_images), expected)
    with pytest.raises(ValueError, match="The delegate is missing"):
        interpreter.load_interpreter(sparse_file, delegate={})


def test_a_missing_delegate_is_said_once(sparse_file):
    code = (
        "import sys\n"
        "from tfmot_onexn.tflite import delegate_build, interpreter\n"
        "delegate_build.LIBRARY = 'libmissing.so'\n"
        "for _ in range(3): interpreter.load_interpreter(sys.argv[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(sparse_file)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stderr.count("runs without the delegate") == 1


def test_a_runtime_and_its_delegate_are_spelled_together():
    assert interpreter.split_runtime("tflite") == ("litert", False)
    assert interpreter.split_runtime("tf_lite+delegate") == ("tf_lite", True)
    with pytest.raises(ValueError, match=r"addition 'gpu' .* is tflite\+delegate"):
        interpreter.split_runtime("tflite+gpu")
    with pytest.raises(ValueError, match="addition '' to"):
        interpreter.split_runtime("tflite+")


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
