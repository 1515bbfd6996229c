import pytest
import tf_keras
from graphs import images, relative_error, small_network

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import prune
from tfmot_onexn.tflite import convert, interpreter
from tfmot_onexn.tvm import source


@pytest.fixture(scope="module")
def model():
    return randomize(small_network(width=3))


def outputs(path, model):
    loaded = interpreter.load_interpreter(path, delegate=False)
    return interpreter.run_once(loaded, images(model, 1))


def test_a_model_is_converted(model, tmp_path):
    steps = []
    found = source.prepare(model, tmp_path, progress=steps.append)
    assert steps == ["Converting"]
    assert (found.path, found.name) == (tmp_path / "model.tflite", "small")
    assert relative_error(outputs(found.path, model), model(images(model, 1))) <= 1e-5


def test_a_wrapped_model_is_converted_without_its_wrappers(model, tmp_path):
    wrapped = prune.prune_low_magnitude_1xN(model, 8, rearrange="none")
    found = source.prepare(wrapped, tmp_path)
    expected = prune.strip_pruning(wrapped)(images(model, 1))
    assert relative_error(outputs(found.path, model), expected) <= 1e-5
    assert relative_error(model(images(model, 1)), expected) > 0.1


@pytest.mark.parametrize("name", ["a.keras", "a.h5", "saved"])
def test_a_path_of_a_model_is_loaded(model, tmp_path, name):
    wrapped = prune.prune_low_magnitude_1xN(model, 8, rearrange="none")
    wrapped.save(str(tmp_path / name))
    steps, folder = [], tmp_path / "converted"
    folder.mkdir()
    found = source.prepare(tmp_path / name, folder, progress=steps.append)
    assert steps == ["Loading the model", "Converting"]
    assert (found.path, found.name) == (folder / "model.tflite", wrapped.name)
    assert relative_error(outputs(found.path, model), wrapped(images(model, 1))) <= 1e-5


@pytest.mark.parametrize("name", ["a.tflite", "without"])
def test_a_tflite_file_is_taken_as_it_is(model, tmp_path, name):
    convert.convert_to_tflite(model, tmp_path / name)
    content = (tmp_path / name).read_bytes()
    found = source.prepare(str(tmp_path / name), tmp_path / "nowhere")
    assert (found.path, found.name) == (tmp_path / name, name.removesuffix(".tflite"))
    assert found.path.read_bytes() == content
    with pytest.raises(ValueError, match=rf"{name} is converted already; half prec"):
        source.prepare(tmp_path / name, tmp_path, float16=True)


def test_half_precision(model, tmp_path):
    half = source.prepare(model, tmp_path, float16=True).path.stat().st_size
    assert half < 0.7 * source.prepare(model, tmp_path).path.stat().st_size


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"No model at none\. Give a Keras model, or"):
        source.prepare("none", tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"of another framework")
    with pytest.raises(ValueError, match=r"model\.onnx is neither a \.keras, a \.h5"):
        source.prepare(tmp_path / "model.onnx", tmp_path)
    with pytest.raises(ValueError, match="Expected a tf_keras model"):
        source.prepare(tf_keras.layers.Dense(2), tmp_path)
