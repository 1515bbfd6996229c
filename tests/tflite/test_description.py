import dataclasses

import pytest
import tf_keras

from tfmot_onexn.pruning import prune
from tfmot_onexn.tflite import convert, description


def test_a_sparse_file(sparse_file):
    found = description.of_file(sparse_file)
    assert (found.variant, found.n, found.dtype) == ("onexn", 4, "float32")
    assert found.sparsity == pytest.approx(0.5, abs=0.01)
    assert found.size_bytes == sparse_file.stat().st_size
    assert 0 < found.nonzero_macs < 0.6 * found.macs


def test_a_dense_file_and_one_of_single_weights(dense_model):
    dense = description.of_content(convert.convert_to_tflite(dense_model))
    assert (dense.variant, dense.n, dense.sparsity) == ("dense", None, 0.0)
    assert dense.nonzero_macs == dense.macs
    pruned = prune.strip_pruning(prune.prune_weights(dense_model))
    half = description.of_content(convert.convert_to_tflite(pruned, float16=True))
    assert (half.variant, half.n, half.dtype) == ("weight", 1, "float16")
    assert half.macs == dense.macs


def test_a_file_without_kernels_tells_its_size():
    model = tf_keras.Sequential([tf_keras.Input((4, 4, 3)), tf_keras.layers.ReLU()])
    content = convert.convert_to_tflite(model)
    found = description.of_content(content)
    assert found == description.Description(len(content))


def test_work_that_one_kernel_leaves_open_is_not_known():
    image = tf_keras.Input((None, None, 3))
    x = tf_keras.layers.Conv2D(4, 1)(image)
    x = tf_keras.layers.GlobalAveragePooling2D()(x)
    model = tf_keras.Model(image, tf_keras.layers.Dense(2)(x))
    found = description.of_content(convert.convert_to_tflite(model))
    assert (found.macs, found.nonzero_macs) == (None, None)
    assert dataclasses.replace(found, size_bytes=0, dtype=None) == (
        description.Description(0, "dense", sparsity=0.0)
    )


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Cannot read"):
        description.of_file(tmp_path / "none.tflite")
    with pytest.raises(ValueError, match=r"text is not a \.tflite file"):
        description.of_content(b"no model at all", "text")
