import numpy as np
import pytest
import tf_keras
from tf_keras import layers

from tfmot_onexn.networks.random_weights import random_images, randomize
from tfmot_onexn.tflite import convert, flatbuffer, interpreter, scalars


def gated():
    """With a hard sigmoid of a vector, as in MobileNetV3, and one scalar twice."""
    image = layers.Input((8, 8, 4))
    pooled = layers.GlobalAveragePooling2D(keepdims=True)(image)
    # the converter makes an addition right after a convolution part of its bias
    gate = layers.ReLU(6.0)(layers.ReLU()(layers.Conv2D(4, 1)(pooled)) + 3.0) * (1 / 6)
    x = layers.Multiply()([image, gate])
    vector = layers.GlobalAveragePooling2D()(x) * (1 / 6)
    model = tf_keras.Model(image, [x, vector])
    return randomize(model) or model


def operands(content):
    """Shapes of what additions and multiplications read."""
    model = flatbuffer.read(content)
    (graph,) = model.subgraphs
    for operator in graph.operators:
        name = flatbuffer.operator_name(flatbuffer.operator_of(model, operator))
        if name in ("ADD", "MUL"):
            yield [flatbuffer.integers(graph.tensors[t].shape) for t in operator.inputs]


def run(content, image, path):
    path.write_bytes(content)
    loaded = interpreter.load_interpreter(path, delegate=False)
    loaded.allocate_tensors()
    loaded.set_tensor(loaded.get_input_details()[0]["index"], image)
    loaded.invoke()
    return [loaded.get_tensor(d["index"]) for d in loaded.get_output_details()]


def test_scalars_get_the_axes_of_what_they_meet(tmp_path):
    model = gated()
    content = convert.convert_to_tflite(model)
    lifted = scalars.with_axes(content)
    before, after = list(operands(content)), list(operands(lifted))
    assert sum([] in shapes for shapes in before) == 3
    # the one that meets a vector of two axes stays
    assert sum([] in shapes for shapes in after) == 1
    assert sum([1, 1, 1, 1] in shapes for shapes in after) == 2
    image = np.asarray(random_images(model, 1), np.float32)
    path = tmp_path / "gated.tflite"
    wanted_outputs = run(content, image, path)
    for found, wanted in zip(run(lifted, image, path), wanted_outputs, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert scalars.with_axes(lifted) == lifted


def test_a_damaged_file_is_named():
    with pytest.raises(ValueError, match=r"broken\.tflite is not a .tflite file"):
        scalars.with_axes(b"no such file", "broken.tflite")
