import os

import pytest
import tf_keras

from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.tflite import inventory, kernels, validation


@pytest.fixture
def pruned_file(onexn, model_file, tmp_path):
    path = tmp_path / "pruned.keras"
    code, _, _ = onexn("prune", model_file, "-o", path, "--n", 8)
    assert code == 0
    return path


def test_a_pruned_model_becomes_a_sparse_file(onexn, pruned_file, tmp_path):
    sparse, dense, half = (tmp_path / f"{name}.tflite" for name in "sdh")
    code, output, _ = onexn("convert", pruned_file, "-o", sparse)
    assert code == 0
    assert output == f"Wrote {sparse}: {sparse.stat().st_size / 1e6:.2f} MB.\n"
    onexn("convert", pruned_file, "-o", dense, "--dense")
    onexn("convert", pruned_file, "-o", half, "--float16")
    assert half.stat().st_size < sparse.stat().st_size < dense.stat().st_size
    found = kernels.read(validation.validated(sparse.read_bytes()))
    assert 8 in {kernel.n for kernel in found}


def test_a_network_by_name_is_converted(onexn, tmp_path):
    path = tmp_path / "v2.tflite"
    settings = ("--alpha", 0.35, "--input-size", 32)
    code, _, _ = onexn("convert", "mobilenet_v2", "-o", path, *settings)
    assert code == 0
    assert path.stat().st_size > 6e6


@pytest.mark.parametrize(
    ("model", "output", "message"),
    [
        ("none.keras", "a.tflite", "No model at none.keras"),
        ("vgg", "a.tflite", "No model at vgg. Give the path of a .keras"),
        (None, "none/a.tflite", "a.tflite: No such file or directory"),
        (None, ".", "it is a folder"),
    ],
)
def test_failures_are_one_line_and_leave_nothing(
    onexn, model_file, tmp_path, model, output, message
):
    code, _, errors = onexn("convert", model or model_file, "-o", tmp_path / output)
    assert code == 1
    assert errors.startswith("onexn convert: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.fixture
def keras_padding_file(tmp_path):
    """Has a first layer as Keras' MobileNets have it, and zeros enough."""
    image = tf_keras.Input((32, 32, 3))
    x = tf_keras.layers.Conv2D(8, 3, 2, "same", name="stem")(image)
    x = tf_keras.layers.Conv2D(64, 1)(x)
    x = tf_keras.layers.GlobalAveragePooling2D()(x)
    model = tf_keras.Model(image, x, name="mine")
    pruned = prune.prune_low_magnitude_1xN(
        model, 4, schedule.OneShot(0.8), policy.PruneAll()
    )
    path = tmp_path / "mine.keras"
    prune.strip_pruning(pruned).save(path)
    return path


def test_a_file_for_xnnpack_needs_leave_to_shift(onexn, keras_padding_file, tmp_path):
    path = tmp_path / "a.tflite"
    command = ("convert", keras_padding_file, "-o", path)
    code, _, errors = onexn(*command, "--for", "xnnpack")
    assert code == 1
    assert "prepare_for_xnnpack(model) before fine-tuning, or allow" in errors
    assert onexn(*command, "--allow-shift")[0] == 1
    assert not path.exists()
    code, _, _ = onexn(*command, "--for", "xnnpack", "--allow-shift")
    assert code == 0
    assert inventory.of_file(path).verdicts["arm64"].word == "sparse"
