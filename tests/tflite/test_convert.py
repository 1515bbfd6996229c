import os

import numpy as np
import pytest
import tf_keras
from graphs import images, relative_error, small_network
from tensorflow_model_optimization.sparsity import keras as tfmot
from tf_keras import layers

from tfmot_onexn.graph import surgery
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune, schedule
from tfmot_onexn.tflite import (
    convert,
    flatbuffer,
    interpreter,
    inventory,
    kernels,
    preparation,
    validation,
)

EVERYTHING = policy.PruneAll()


def run(path, images, runtime="litert"):
    return interpreter.run(interpreter.load_interpreter(path, runtime=runtime), images)


@pytest.mark.parametrize("runtime", ["litert", "tf_lite"])
def test_a_sparse_file_computes_what_the_model_does(
    sparse_file, pruned_model, dense_model, batch_of_images, runtime
):
    outputs = run(sparse_file, batch_of_images, runtime)
    assert relative_error(outputs, pruned_model(batch_of_images)) <= 1e-5
    assert relative_error(outputs, dense_model(batch_of_images)) > 0.1


def test_the_oldest_runtime_computes_the_same(
    sparse_file, pruned_model, batch_of_images, tflite_runtime
):
    outputs = tflite_runtime(sparse_file, batch_of_images)
    assert relative_error(outputs, pruned_model(batch_of_images)) <= 1e-5


def stored(content):
    return kernels.read(validation.validated(content))


def test_every_kind_of_kernel_is_stored_in_blocks(sparse_file):
    sparse = [k for k in stored(sparse_file.read_bytes()) if k.n is not None]
    assert {(k.operator, k.n) for k in sparse} == {
        ("CONV_2D", 4),
        ("FULLY_CONNECTED", 4),
    }
    wide = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(32, 3, input_shape=(8, 8, 16)),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(24),
        ]
    )
    pruned = prune.prune_low_magnitude_1xN(wide, 16, pruning_policy=EVERYTHING)
    found = stored(convert.convert_to_tflite(pruned))
    assert [(k.operator, k.n) for k in found] == [
        ("CONV_2D", 16),
        ("FULLY_CONNECTED", 8),
    ]
    final = prune.strip_pruning(pruned)
    np.testing.assert_array_equal(found[0].kernel, final.layers[0].kernel)
    np.testing.assert_array_equal(found[1].kernel, final.layers[2].kernel)


@pytest.mark.parametrize(
    ("method", "n"),
    [
        (lambda model: prune.prune_weights(model, pruning_policy=EVERYTHING), 1),
        (
            lambda model: prune.prune_low_magnitude_1xN(
                model, 16, pruning_policy=EVERYTHING, rearrange="none"
            ),
            # 72 channels hold four blocks of 16 and a half
            8,
        ),
    ],
)
def test_n_is_found_from_the_zeros(dense_model, method, n):
    found = stored(convert.convert_to_tflite(method(dense_model)))
    expand = max(found, key=lambda k: k.kernel.shape == (1, 1, 24, 72))
    assert expand.n == n


def test_wrapped_and_stripped_models_convert_alike(pruned_model, sparse_file):
    stripped = prune.strip_pruning(pruned_model)
    assert convert.convert_to_tflite(stripped) == sparse_file.read_bytes()


def test_dense_files_store_the_zeros(pruned_model, batch_of_images, tmp_path):
    path = tmp_path / "dense.tflite"
    content = convert.convert_to_tflite(pruned_model, path, sparse=False)
    assert path.read_bytes() == content
    assert all(kernel.n is None for kernel in stored(content))
    outputs = run(path, batch_of_images)
    assert relative_error(outputs, pruned_model(batch_of_images)) <= 1e-5


def test_float16_files_are_half_as_large(
    pruned_model, batch_of_images, tmp_path, sparse_file, tflite_runtime
):
    path = tmp_path / "half.tflite"
    content = convert.convert_to_tflite(pruned_model, path, float16=True)
    sparse = [kernel for kernel in stored(content) if kernel.n is not None]
    assert {kernel.kernel.dtype for kernel in sparse} == {np.dtype(np.float16)}
    assert {kernel.n for kernel in sparse} == {4}
    full = {k.name: k for k in stored(sparse_file.read_bytes()) if k.n is not None}
    for kernel in sparse:
        twin = next(k for k in full.values() if k.kernel.shape == kernel.kernel.shape)
        assert kernel.stored_bytes < 0.6 * twin.stored_bytes
    expected = pruned_model(batch_of_images)
    assert 1e-6 < relative_error(run(path, batch_of_images), expected) <= 1e-2
    assert relative_error(tflite_runtime(path, batch_of_images), expected) <= 1e-2


def test_several_inputs_and_outputs_keep_their_names(tmp_path):
    one = tf_keras.Input((4, 4, 3), name="one")
    two = tf_keras.Input((4, 4, 3), name="two")
    x = tf_keras.layers.Conv2D(4, 1)(one) - tf_keras.layers.Conv2D(4, 1)(two)
    pooled = tf_keras.layers.GlobalAveragePooling2D(name="pooled")(x)
    model = tf_keras.Model([one, two], [pooled, tf_keras.layers.ReLU(name="map")(x)])
    path = tmp_path / "two.tflite"
    convert.convert_to_tflite(model, path)
    loaded = interpreter.load_interpreter(path)
    signature = loaded.get_signature_list()["serving_default"]
    assert signature == {"inputs": ["one", "two"], "outputs": ["map", "pooled"]}


def test_what_cannot_be_converted_or_written_is_refused(tmp_path, dense_model):
    class Own(tf_keras.Model):
        pass

    with pytest.raises(ValueError, match=r"\(Own\) is subclassed"):
        convert.convert_to_tflite(Own())
    unbuilt = tf_keras.Sequential([tf_keras.layers.Dense(2)], name="unbuilt")
    with pytest.raises(ValueError, match=r"'unbuilt' has no input shape yet. Build it"):
        convert.convert_to_tflite(unbuilt)
    with pytest.raises(ValueError, match=r"Cannot write .*: No such file"):
        convert.convert_to_tflite(dense_model, tmp_path / "none" / "a.tflite")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("nested", [False, True])
def test_a_wrapped_model_gives_the_file_of_the_stripped_one(nested):
    model = small_network()
    if nested:
        image = tf_keras.Input(model.input_shape[1:])
        model = tf_keras.Model(image, model(image))
    pruned = prune.prune_low_magnitude_1xN(randomize(model), rearrange="none")
    names = [layer.name for layer in surgery.leaf_layers(pruned)]
    x = images(pruned)
    before = pruned(x).numpy()
    content = convert.convert_to_tflite(pruned)
    assert content == convert.convert_to_tflite(prune.strip_pruning(pruned))
    assert [layer.name for layer in surgery.leaf_layers(pruned)] == names
    np.testing.assert_array_equal(pruned(x), before)


def test_what_tfmot_wrapped_is_stripped():
    model = tf_keras.Sequential([tf_keras.layers.Dense(8, input_shape=(16,))])
    wrapped = tfmot.prune_low_magnitude(model)
    (layer,) = wrapped.layers
    (weight, mask, _), *_ = layer.pruning_vars
    mask.assign(np.indices(mask.shape)[0] % 4 == 0)
    content = convert.convert_to_tflite(wrapped)
    (stored,) = kernels.read(flatbuffer.read(content))
    np.testing.assert_array_equal(stored.kernel, weight * mask)


def test_a_file_that_a_runtime_takes_wrong_is_warned_of():
    """LiteRT on arm64 starts sparse inference and forgets a pooling on the way."""
    image = layers.Input((32, 32, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2D(8, 3, 2, activation="relu")(x)
    x = layers.Conv2D(64, 1, activation="relu")(x)
    x = layers.MaxPooling2D(name="largest")(x)
    x = layers.Conv2D(64, 1, activation="relu")(x)
    model = tf_keras.Model(image, layers.GlobalAveragePooling2D()(x), name="mine")
    pruned = prune.prune_low_magnitude_1xN(
        model, 4, schedule.OneShot(0.9), policy.PruneAll(), rearrange="none"
    )
    with pytest.warns(UserWarning, match=r"ARM cannot run .mine.\. .*largest"):
        convert.convert_to_tflite(pruned)
    convert.convert_to_tflite(pruned, sparse=False)


def with_keras_padding(sparsity=0.8):
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(8, 3, 2, "same", activation="relu", name="stem")(image)
    for _ in range(2):
        x = layers.Conv2D(64, 1, activation="relu")(x)
    model = tf_keras.Model(image, layers.GlobalAveragePooling2D()(x), name="mine")
    return prune.prune_low_magnitude_1xN(
        model, 4, schedule.OneShot(sparsity), policy.PruneAll(), rearrange="none"
    )


def test_a_file_for_xnnpack_is_of_a_prepared_model(tmp_path):
    pruned, path = with_keras_padding(), tmp_path / "a.tflite"
    with pytest.raises(ValueError, match=r"'mine' is not prepared .* \(stem: padded"):
        convert.convert_to_tflite(pruned, path, for_xnnpack=True)
    with pytest.raises(ValueError, match="sparse=False does not go with for_xnnpack"):
        convert.convert_to_tflite(pruned, path, for_xnnpack=True, sparse=False)
    assert not path.exists()
    shifted = convert.convert_to_tflite(
        pruned, path, for_xnnpack=True, allow_shift=True
    )
    prepared = preparation.prepare_for_xnnpack(prune.strip_pruning(pruned))
    assert shifted == convert.convert_to_tflite(prepared, for_xnnpack=True)
    assert inventory.of_file(path).verdicts["arm64"].word == "sparse"


def test_what_stays_dense_on_arm_is_warned_of():
    pruned = with_keras_padding(sparsity=0.5)
    with pytest.warns(UserWarning, match=r"speed of a dense .* two thirds of zeros"):
        convert.convert_to_tflite(pruned, for_xnnpack=True, allow_shift=True)
